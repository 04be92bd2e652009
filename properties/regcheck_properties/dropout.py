"""Laws of dropout: training drops an entry with probability p and divides the rest by 1 − p; inference does nothing.

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).
"""

from __future__ import annotations

from regcheck_properties import dropout_masks, dropout_values
from regcheck_properties.dropouts import declared, multiplying

PROPERTIES = declared(
    multiplying("dropout"),
    (dropout_masks.rate,),
    dropout_values.MULTIPLICATION,
    dropout_values.IDENTITIES,
    dropout_masks.LAWS,
)
