"""Laws of alpha dropout of channels: a channel of a sample drops as a whole, with probability p.

Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017; Tompson et al., "Efficient object localization using
convolutional networks", CVPR 2015, section 3.2.
"""

from __future__ import annotations

from regcheck_properties import alpha_values, dropout_masks, dropout_units, dropout_values
from regcheck_properties.dropouts import declared

PROPERTIES = declared(
    alpha_values.family("channel_alpha_dropout"),
    dropout_units.CHANNELS,
    (dropout_masks.rate,),
    alpha_values.LAWS,
    (dropout_values.backward_mask,),
    dropout_values.IDENTITIES,
    dropout_masks.LAWS,
)
