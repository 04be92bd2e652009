"""Laws of alpha dropout: training maps an entry to a·α′ + b with probability p, the rest to a·x + b.

Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.
"""

from __future__ import annotations

from regcheck_properties import alpha_values, dropout_masks, dropout_values
from regcheck_properties.dropouts import declared

PROPERTIES = declared(
    alpha_values.family("alpha_dropout"),
    (dropout_masks.rate,),
    alpha_values.LAWS,
    (dropout_values.backward_mask,),
    dropout_values.IDENTITIES,
    dropout_masks.LAWS,
)
