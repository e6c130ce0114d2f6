"""Features of crops from an image classifier, for the kernel distance.

The network is MobileNet-EdgeTPU (8-bit, MLCommons mobile models, Apache-2.0), which is not part of the project. The
feature is its pooled penultimate layer, 1280 numbers: the last convolution's 7x7 map (`MobilenetEdgeTPU/Conv_1`),
dequantised and averaged here in float. The network's own `AvgPool` tensor is the same average rounded to 8 bits in
steps of 0.17, too coarse for what a small hole changes; its logits know names of things, and little of texture.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.networks import FeatureNetwork, Features


class Classifier(FeatureNetwork):
    """The first judge."""

    file = "mobilenet_edgetpu_224_1.0_uint8.tflite"
    layer = "MobilenetEdgeTPU/Conv_1/Conv2D"
    shape = (1, 7, 7, 1280)
    feature = "Conv_1 7x7x1280, dequantised, mean over space (pooled penultimate layer); crop bicubic to 224x224"


@cache
def _shared_classifier() -> Classifier:
    return Classifier()


def features(crops: Iterable[NDArray[np.uint8]]) -> Features:
    """(n, 1280) float32 of crops (h, w, 3) uint8, by the classifier in the folder beside the project."""
    return _shared_classifier().features(crops)
