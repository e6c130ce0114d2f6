"""Features and labels of an image segmenter: the second judge, and what finds places for pasted objects.

The network is DeepLab v3 on MobileNet v2 for ADE20K (8-bit, 512x512, MLCommons mobile models, Apache-2.0), which is not
part of the project. The feature is the last layer of its encoder (`concat_projection`, 256 numbers), dequantised and
averaged over space. It was trained to tell surfaces and things apart pixel by pixel, so that it minds what a region
consists of where a classifier minds what a picture shows. Its labels are the 31 most frequent ones of ADE20K, numbered
by frequency from 1; 0 is everything else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.networks import FeatureNetwork

SURFACES = (1, 2, 3, 4, 5, 6, 7, 10, 12, 14, 17, 18, 19, 22, 26, 27, 29, 30)
"""Labels of what an object stands on or in front of: wall, building, sky, floor, tree, ceiling, road, grass, sidewalk,
earth, mountain, plant, curtain, water, house, sea, rug, field."""


class Segmenter(FeatureNetwork):
    """The second judge."""

    file = "deeplabv3_mnv2_ade20k_int8.tflite"
    layer = "concat_projection/Relu"
    shape = (1, 32, 32, 256)
    feature = "concat_projection 32x32x256, dequantised, mean over space, divided by 32; crop bicubic to 512x512"
    scale = 1 / 32  # so that the mean square is about that of the classifier's features, and the kernel as curved

    def labels(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(512, 512) labels, the picture (h, w, 3) squeezed to this square."""
        self._run(picture)
        output = self._net.get_output_details()[0]
        return np.asarray(self._net.get_tensor(output["index"])[0], np.uint8)
