"""Laws of channel dropout: training drops a channel of a sample as a whole, with probability p; inference does nothing.

Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015, section 3.2.
"""

from __future__ import annotations

from regcheck_properties import dropout_masks, dropout_units, dropout_values
from regcheck_properties.dropouts import declared, multiplying

PROPERTIES = declared(
    multiplying("channel_dropout"),
    dropout_units.CHANNELS,
    (dropout_masks.rate,),
    dropout_values.MULTIPLICATION,
    dropout_values.IDENTITIES,
    dropout_masks.LAWS,
)
