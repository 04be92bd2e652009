"""Laws of drop path: training drops a sample as a whole, with probability p; inference does nothing.

Huang et al., "Deep networks with stochastic depth", ECCV 2016; the kept samples divided by 1 − p, as in dropout.
"""

from __future__ import annotations

from regcheck_properties import dropout_masks, dropout_units, dropout_values
from regcheck_properties.dropouts import declared, multiplying

PROPERTIES = declared(
    multiplying("drop_path"),
    dropout_units.SAMPLES,
    (dropout_masks.rate,),
    dropout_values.MULTIPLICATION,
    dropout_values.IDENTITIES,
    tuple(law for law in dropout_masks.LAWS if law is not dropout_masks.mask_order),  # one axis of units, one order
)
