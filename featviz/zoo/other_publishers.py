"""Further official files of torchvision's networks: Caffe's of their authors, and Keras's.

They are not fetched; `--weights` takes them. Their classes have ImageNet's order, as torchvision's do.
"""

from featviz.model import InputSpec
from featviz.zoo.entry import Source, lazy

# VGG's authors trained on BGR in 0..255 minus the mean color (the readme of their files). Keras's files are converted
# from theirs (`imagenet_utils`, mode "caffe").
OXFORD = InputSpec(size=(224, 224), scale=255.0, mean=(103.939, 116.779, 123.68), bgr=True)
AUTHORS = "https://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/VGG_ILSVRC_"
# Digests and sizes of OpenVINO's Open Model Zoo (vgg16/model.yml, vgg19/model.yml).
CAFFE = {
    16: ("a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197", 553_432_081),
    19: ("31b4c627c40c6ee151325f079b7ac557fddbd1f79af932888796127a4f4f6954", 574_671_192),
}
APPLICATIONS = "https://storage.googleapis.com/tensorflow/keras-applications/"
ENDING = "_weights_tf_dim_ordering_tf_kernels.h5"
# Sizes as Keras shows them when it downloads.
KERAS = {16: 553_467_096, 19: 574_710_816}


def vgg(layers: int, depths: tuple[int, ...]) -> tuple[Source, Source]:
    """VGG's files of its authors and of Keras; `depths` counts the convolutions between poolings."""
    return (
        Source(
            *(f"{AUTHORS}{layers}_layers.caffemodel", *CAFFE[layers]),
            names=lazy("architectures.vgg", "caffe_name", depths=depths),
            input=OXFORD,
        ),
        Source(
            f"{APPLICATIONS}vgg{layers}/vgg{layers}{ENDING}",
            bytes=KERAS[layers],
            names=lazy("architectures.vgg", "keras_name", depths=depths),
            axes=lazy("architectures.vgg", "keras_rows"),
            input=OXFORD,
        ),
    )


# Its digest is GoMLX's (inceptionv3/download.go), which reads the file by the same names. Unlike torchvision's, its
# averages leave out the zeros beyond an edge.
INCEPTION_V3 = Source(
    f"{APPLICATIONS}inception_v3/inception_v3{ENDING}",
    "00c9ea4e4762f716ac4d300d6d9c2935639cc5e4d139b5790d765dcbeea539d0",
    96_112_376,
    names=lazy("architectures.inception_v3", "keras_name"),
    axes=lazy("weights.convert", "keras_axes"),
    ones=(r"/bn/scale$",),
    build=lazy("architectures.inception_v3", "InceptionV3", count_padding=False),
)
# Torchvision's norms have an epsilon of 1e-5.
DENSENET121 = Source(
    f"{APPLICATIONS}densenet/densenet121{ENDING}",
    names=lazy("architectures.densenet", "keras_name"),
    axes=lazy("weights.convert", "keras_axes"),
    build=lazy("architectures.densenet", "DenseNet", depths=(6, 12, 24, 16), epsilon=1.001e-5),
)
