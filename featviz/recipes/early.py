"""2009 to 2015: pixels, plain gradients, and step rules on the image.

The published constants are for images of 0 to 255, here images are of 0 to 1. A step of s is then s / 255 where the
gradient is normalized first, and a learning rate r is r / 255^2 where it is not: the image shrinks by 255, and the
gradient grows by as much.
"""

from dataclasses import replace

from featviz.ascent import Convergence
from featviz.optimizers import (
    SGD,
    Chain,
    Constant,
    Linear,
    Normalize,
    NormalizeStd,
    Optimizer,
    ProgressSGD,
    ScaleBySchedule,
)
from featviz.parameterizations import RawPixels
from featviz.recipes.base import Carry, Recipe, Stage
from featviz.recipes.display import StandardContrast, Stretched
from featviz.regularizers import (
    IMAGENET_MEAN,
    BlurImage,
    ClipRange,
    ClipSmallContributions,
    ClipSmallNorms,
    Decay,
    NormalizeLaplacian,
    NormBall,
    Roll,
    Window,
    l2,
)

BYTE = 1 / 255

# Ascent from uniform noise on a ball of images, until the unit's activation stops rising. The paper gives neither
# the rate nor the norm (it tried several): here a step is a fiftieth of the norm, and the norm a photograph's contrast.
erhan_2009 = Recipe(
    summary="pixels of bounded norm, until the score stops rising",
    parameterization=RawPixels(low=0.0, high=1.0),
    optimizer=Chain((Normalize(order=2), SGD(0.005), NormBall(0.25), ClipRange())),
    steps=512,
    redirect_steps=0,
    convergence=Convergence(),
    sources=("erhan_2009",),
)

# From the mean image, a class's logit minus lambda * |I|^2; neither lambda nor the rate is published. The weight is for
# a mean over values; the norm is taken about the mean image's gray.
simonyan_2013 = Recipe(
    summary="pixels, with an L2 penalty",
    parameterization=RawPixels(mean=IMAGENET_MEAN, sd=0.0),
    optimizer=Chain((Normalize(order=2), SGD(0.01), ClipRange())),
    penalty=-20.0 * l2(center=sum(IMAGENET_MEAN) / 3),
    steps=256,
    size=224,
    redirect_steps=0,
    sources=("simonyan_2013",),
)

# Four sets found by a random search over 300 (their Figure 4 and the toolbox's examples): decay, blur of a radius every
# few steps, percentiles of small norms and of small contributions.
YOSINSKI_START = RawPixels(mean=IMAGENET_MEAN, sd=10 * BYTE)
YOSINSKI_PROGRESS = ProgressSGD(2.0, max_learning_rate=100 * BYTE**2)
YOSINSKI_RATE = SGD(100 * BYTE**2)


def _yosinski(*rules: Optimizer, steps: int, summary: str) -> Recipe:
    return Recipe(
        summary=summary,
        parameterization=YOSINSKI_START,
        optimizer=Chain((*rules, ClipRange())),
        steps=steps,
        size=227,
        redirect_steps=0,
        display=Stretched(IMAGENET_MEAN),
        sources=("yosinski_2015",),
    )


yosinski_2015_a = _yosinski(
    YOSINSKI_PROGRESS,
    BlurImage(Constant(0.5), every=4),
    ClipSmallNorms(50.0, center=IMAGENET_MEAN),
    steps=500,
    summary="pixels, blurred, small norms clipped",
)
yosinski_2015_b = _yosinski(
    YOSINSKI_RATE,
    Decay(0.3, center=IMAGENET_MEAN),
    ClipSmallNorms(20.0, center=IMAGENET_MEAN),
    steps=750,
    summary="pixels, strong decay, small norms clipped",
)
# The one behind most of the paper's images.
yosinski_2015 = _yosinski(
    YOSINSKI_RATE,
    Decay(1e-4, center=IMAGENET_MEAN),
    BlurImage(Constant(1.0), every=4),
    steps=1000,
    summary="pixels, blurred every few steps, slight decay",
)
yosinski_2015_d = _yosinski(
    YOSINSKI_PROGRESS,
    BlurImage(Constant(0.5), every=4),
    ClipSmallContributions(90.0, center=IMAGENET_MEAN),
    steps=1000,
    summary="pixels, blurred, small contributions clipped",
)


def _oygard(side: float, *, steps: tuple[float, float], sigma: tuple[float, float]) -> Chain:
    # The published mean |g| is over the window, side^2 of the image; over the whole image it is smaller by as much.
    rates = Linear(steps[0] * BYTE * side**2, steps[1] * BYTE * side**2)
    return Chain((Normalize(), SGD(1.0), ScaleBySchedule(rates), ClipRange(), BlurImage(Linear(*sigma))))


# 224 px, then 269 and 323 px under windows of 224; on GoogLeNet with its auxiliary heads the third stage is loss2's and
# the fourth loss1's. Here all stages have one objective. The paper's gray is N(200, 8) of 255.
_SIDES = (224 / 323, 269 / 323)
oygard_2015 = Recipe(
    summary="pixels in four zooms, blurred less and less",
    parameterization=RawPixels(mean=200 * BYTE, sd=8 * BYTE),
    steps=500,
    size=323,
    redirect_steps=0,
    stages=(
        Stage(_SIDES[0], 190, _oygard(1.0, steps=(11, 11), sigma=(2.5, 0.78))),
        Stage(_SIDES[1], 150, _oygard(224 / 269, steps=(6, 6), sigma=(0.936, 0.78)), (Window(224 / 269),)),
        Stage(1.0, 150, _oygard(224 / 323, steps=(6, 3), sigma=(0.936, 0.44)), (Window(224 / 323),)),
        Stage(1.0, 10, _oygard(224 / 323, steps=(3, 3), sigma=(0.44, 0.304)), (Window(224 / 323),)),
    ),
    sources=("oygard_2015",),
)

DREAM_STEP = Chain((Normalize(), SGD(1.5 * BYTE), ClipRange()))
# Four octaves of 1.4, ten steps each; between them only the changes are enlarged.
deepdream_2015 = Recipe(
    summary="pixels in four octaves, normalized gradient",
    parameterization=RawPixels(mean=IMAGENET_MEAN, sd=0.05),
    optimizer=DREAM_STEP,
    transforms=(Roll(32),),
    steps=40,
    size=224,
    redirect_steps=0,
    stages=tuple(Stage(1.4**-i, 10) for i in (3, 2, 1, 0)),
    carry=Carry.DETAIL,
    sources=("mordvintsev_2015",),
)

# TensorFlow's tutorial of 2015: noise U(0, 1) + 100 of 255.
_TUTORIAL_START = RawPixels(low=100 * BYTE, high=101 * BYTE)
tf_tutorial_2015 = Recipe(
    summary="pixels, normalized gradient",
    parameterization=_TUTORIAL_START,
    optimizer=Chain((NormalizeStd(), SGD(1.0 * BYTE))),
    steps=20,
    size=224,
    redirect_steps=0,
    display=StandardContrast(),
    sources=("tensorflow_2015",),
)
# Three octaves of 1.4, ten steps each, the gradient of 512 px tiles under a random roll.
tf_tutorial_2015_multiscale = replace(
    tf_tutorial_2015,
    summary="pixels in three octaves, normalized gradient",
    transforms=(Roll(256),),
    steps=30,
    size=439,
    stages=tuple(Stage(1.4**-i, 10) for i in (2, 1, 0)),
)
tf_tutorial_2015_laplacian = replace(
    tf_tutorial_2015_multiscale,
    summary="pixels in three octaves, gradient normalized by bands",
    optimizer=Chain((NormalizeLaplacian(4), SGD(1.0 * BYTE))),
)
# TensorFlow's tutorial of 2020: values of -1 to 1, so its step of .01 is .005 here; five octaves of 1.3 about the size.
tf_tutorial_2020 = Recipe(
    summary="pixels in five octaves, normalized gradient",
    parameterization=RawPixels(low=0.0, high=1.0),
    optimizer=Chain((NormalizeStd(), SGD(0.005), ClipRange())),
    transforms=(Roll(256),),
    steps=250,
    size=379,
    redirect_steps=0,
    stages=tuple(Stage(1.3**-i, 50) for i in (4, 3, 2, 1, 0)),
    sources=("tensorflow_2020",),
)
