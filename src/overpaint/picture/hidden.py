"""Pixels that alpha hides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._picture import Samples


def edge_extended(samples: Samples, hidden: NDArray[np.bool_]) -> Samples:
    """Samples in which hidden pixels have the colour of the nearest visible pixel.

    Under alpha 0 a file may hold any colour, mostly black, which would look like a dark object to an engine.

    Args:
        samples: (h, w, C) uint8 or uint16.
        hidden: (h, w) bool. Where all pixels are hidden, the samples are returned unchanged.
    """
    if not hidden.any() or hidden.all():
        return samples
    import cv2

    _, labels = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(labels.max()) + 1, samples.shape[2]), samples.dtype)
    shown = ~hidden
    colours[labels[shown]] = samples[shown]
    return np.asarray(colours[labels], samples.dtype)
