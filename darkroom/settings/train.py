"""Settings of the stage `train`."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from darkroom.settings.base import MOST_EPOCHS, PathText, Section, Seed
from darkroom.settings.networks import AUTO, CAPSULE_NET, OWN, SMALL_IMAGE_NET, unknown_network
from darkroom.settings.transforms import transform_mistakes

# The values of `weights` that are no file.
WORDS = ("auto", "none", "imagenet", "download")


class Train(Section):
    """Network, optimization, augmentation, and the machine."""

    network: Annotated[str, Field(min_length=1)] = "auto"
    """`auto`: chosen for the images by the stage `select`. Or a network by name: `simple_cnn`, `small_image_net`,
    `capsule_net`, any torchvision classification network (`resnet18`, `vgg16`, `vit_b_16`, …), or `timm/` and the name of one
    of timm's; docs/networks.md lists them."""
    budget: Annotated[float, Field(gt=0, le=10_000)] = 2.0
    """network=auto: minutes that the search for a network may take, about, on this machine. More of them see smaller
    differences; a search that has found its network ends sooner. From 5 on the upper blocks of a pretrained network are
    fine-tuned, too, and kept where validation says that it pays; docs/selection.md."""
    filters: Annotated[int, Field(ge=1, le=1024)] = 32
    """simple_cnn, small_image_net: channels of the first block. Multiples of 32 run fastest."""
    depth: Annotated[int, Field(ge=1, le=6)] = 3
    """simple_cnn: how many blocks of two convolutions; each halves the picture."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """simple_cnn, small_image_net: dropout before the last layer."""
    pooling: Literal["auto", "mean", "grid"] = "auto"
    """timm's networks: what the last layer is given. `mean` is the network's own mean over the picture, `grid` the
    means of 4 x 4 cells of two of its last maps, which separate classes better when the backbone is frozen. `auto`: with
    network=auto by cross-validation, else mean."""
    weights: PathText = "auto"
    """What the network starts from: `none`, `imagenet` (weights that are on this machine), `download` (the same,
    fetched where they are not), or a safetensors or state-dict file. `auto`: as chosen with network=auto, else none."""
    freeze: Literal["auto", "none", "backbone"] | Annotated[int, Field(ge=1, le=1000)] = "auto"
    """What is frozen: `backbone` is everything but the last layer, a number so many of the network's layer groups,
    counted from the input. `auto`: as chosen with network=auto, else none."""
    unfreeze: list[Annotated[int, Field(ge=2, le=MOST_EPOCHS)]] = []
    """Epochs from which one more frozen layer group is trained, the one nearest to the output first."""
    layer_decay: Annotated[float, Field(ge=0.0001, le=1)] = 1.0
    """The learning rate of each layer group, as a fraction of that of the next one toward the output; 1: all the same."""
    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] = 12
    """Passes over the training images, at most."""
    batch_size: Literal["auto"] | Annotated[int, Field(ge=2, le=1_000_000)] = "auto"
    """Images a step. `auto`: 256, fewer where that would make few steps."""
    loss: Literal["auto", "cross_entropy", "binary", "focal", "margin"] = "auto"
    """`binary`: binary cross-entropy, for two classes; `focal` weights hard images more; `margin` is for capsule_net.
    `auto`: margin for capsule_net, cross_entropy for all others."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """cross_entropy, binary: this fraction of a label is spread over all classes."""
    focal_gamma: Annotated[float, Field(ge=0, le=100)] = 2.0
    """focal: how little easy images count; 0: all alike."""
    balance: Literal["none", "weights", "sampler"] = "none"
    """For classes of unequal size: `weights` counts the loss of rare classes more, `sampler` shows their images more
    often; `none` does neither."""
    optimizer: Literal["auto", "adam", "adamw", "lbfgs", "muon", "rmsprop", "sgd"] = "auto"
    """`sgd` has Nesterov momentum 0.9; `lbfgs` fits the last layer of a frozen network by cross-validated logistic
    regression, in place of epochs. `auto`: by what is trained."""
    learning_rate: Literal["auto"] | Annotated[float, Field(ge=1e-9, le=100)] = "auto"
    """The highest rate of the schedule. `auto`: by optimizer, network and what is frozen."""
    weight_decay: Literal["auto"] | Annotated[float, Field(ge=0, le=100)] = "auto"
    """L2 penalty, or decoupled decay for adamw and muon. `auto`: by the optimizer."""
    schedule: Literal["auto", "constant", "cosine", "one-cycle", "step", "triangle"] = "auto"
    """`one-cycle` climbs for the first quarter, then falls to nothing; `triangle` climbs for a fifth and falls, both in
    straight lines; `cosine` falls to nothing from the start; `step` falls every `step_epochs`. The steps are counted from
    `epochs`. `auto`: triangle for small_image_net, one-cycle for all others."""
    warmup: Annotated[float, Field(ge=0, le=MOST_EPOCHS)] = 0.0
    """Epochs in which the rate climbs to its highest, before the schedule; one-cycle and triangle: in
    place of their own climb."""
    step_epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] = 10
    """step: epochs between two falls."""
    step_factor: Annotated[float, Field(ge=0.0001, le=1)] = 0.1
    """step: what a fall multiplies the rate by."""
    ema: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = "auto"
    """Keep a moving average of the weights, with this fraction of the average staying at each step, and use it in
    their place; 0: none. `auto`: 0.99 for small_image_net, none for all others."""
    clip_gradient: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """Longest gradient, as its norm over all weights; longer ones are shortened to it. 0: none."""
    flip: Literal["auto"] | bool = "auto"
    """Mirror training images left to right in every second epoch; wrong for text and digits. `auto`: unless two classes are
    mirror images of each other, which is measured, or only the last layer is trained."""
    shift: Literal["auto"] | Annotated[float, Field(ge=0, le=0.5)] = "auto"
    """Move training images by up to this fraction of their side, in both directions. `auto`: 0.08; 0 where only the last
    layer is trained, since the features of an image are then computed once."""
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Turn training images by up to so many degrees."""
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Enlarge or shrink training images by up to this fraction."""
    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Cut a part of at least this fraction of the area, with sides as 3:4 to 4:3, and enlarge it to the whole; 1: no
    cutting."""
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Add up to this fraction of the full range to, or take it from, all pixels of a training image."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Move the pixels of a training image away from or toward their mean by up to this fraction."""
    noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of noise added to each value, as a fraction of the full range."""
    cutout: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = "auto"
    """Fill a square with this fraction of the side, at a random place, with the image's mean colour; 0: none. `auto`: 0.25;
    0 where only the last layer is trained."""
    mixup: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Blend each image and its label with another: alpha of the Beta distribution of the weight; 0: none."""
    cutmix: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Put a rectangle of another image into each, with its part of the label: alpha, as for mixup; with both set
    each batch draws one of them."""
    albumentations: list[dict[str, Any]] = []
    """Transforms of Albumentations, each as `{name: GaussianBlur, blur_limit: [3, 5], p: 0.3}`: one image at a time,
    in this order, before all others."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that prepare batches ahead; 0: none, which is fastest without Albumentations. Results do not depend
    on it."""
    processes: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = "auto"
    """Processes that train together, each on its part of every batch. `auto`: one for each GPU, else 1."""
    sync_batchnorm: bool = False
    """Several processes: batch normalisation takes mean and variance over all of them, so that they train as one does. It
    costs two exchanges a layer."""
    patience: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] = 10
    """Stop after this many epochs without a better validation loss; the best epoch's weights are used."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: bfloat16 where the processor multiplies it in hardware (AMX, AVX512-BF16, CUDA), float16 on older GPUs,
    else float32."""
    seed: Seed = 0
    """Of weights, order, augmentation and dropout."""

    @field_validator("network")
    @classmethod
    def _known_network(cls, name: str) -> str:
        if name != AUTO and (problem := unknown_network(name)):
            raise ValueError(problem)
        return name

    @field_validator("albumentations")
    @classmethod
    def _known_transforms(cls, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if mistakes := transform_mistakes(wanted):
            raise ValueError("; ".join(mistakes))
        return wanted

    @model_validator(mode="after")
    def _fits_together(self) -> "Train":
        if self.unfreeze and self.freeze in ("auto", "none"):
            raise ValueError(f"unfreeze lists epochs, and freeze={self.freeze} leaves nothing to unfreeze")
        if sorted(set(self.unfreeze)) != self.unfreeze:
            raise ValueError(f"unfreeze must list its epochs once each and in order, and is {self.unfreeze}")
        if self.loss == "binary" and (self.mixup or self.cutmix):
            raise ValueError("mixup and cutmix need loss=cross_entropy or focal")
        if (self.loss == "margin") != (self.network == CAPSULE_NET) and self.loss != "auto":
            raise ValueError(f"network={self.network} does not go with loss={self.loss}; loss=auto chooses")
        if self.warmup > self.epochs:
            raise ValueError(f"warmup ({self.warmup} epochs) is longer than the training ({self.epochs} epochs)")
        if self.network == AUTO:
            self._leaves_a_choice()
            return self
        if self.pooling == "grid" and not self.network.startswith("timm/"):
            raise ValueError(f"pooling=grid is for timm's networks, and network is {self.network}: set pooling=mean")
        if self.weights in ("imagenet", "download") and self.network in OWN:
            raise ValueError(f"there are no published weights of {self.network}: set weights=none, or a file")
        return self

    def _leaves_a_choice(self) -> None:
        """Refuse settings of one certain network beside `network=auto`."""
        if self.weights not in WORDS:
            raise ValueError(
                f"weights={self.weights} is a file with the weights of one network: set network to its name"
            )
        if self.unfreeze or isinstance(self.freeze, int):
            counted = f"unfreeze={self.unfreeze}" if self.unfreeze else f"freeze={self.freeze}"
            raise ValueError(f"{counted} counts the layer groups of one network: set network to its name")
        if self.weights == "none" and (self.freeze == "backbone" or self.pooling == "grid"):
            given = "freeze=backbone" if self.freeze == "backbone" else "pooling=grid"
            raise ValueError(
                f"network=auto with weights=none takes small_image_net, which has no use for {given}: set weights=auto, or "
                "network to a name"
            )

    def resolved(self) -> "Train":
        """With a value in place of each `auto` that depends on nothing but the network, which is set, and what is frozen."""
        frozen = "none" if self.freeze == "auto" else self.freeze
        head_alone = frozen == "backbone" and not self.unfreeze
        values: dict[str, Any] = {"weights": "none", "pooling": "mean", "freeze": frozen}
        # Measured for this network (docs/decisions/2026-11-28-training-from-nothing.md).
        quick = self.network == SMALL_IMAGE_NET
        values |= {"schedule": "triangle", "ema": 0.99} if quick else {"schedule": "one-cycle", "ema": 0.0}
        values |= {"shift": 0.0, "cutout": 0.0, "flip": False} if head_alone else {"shift": 0.08, "cutout": 0.25}
        return self.model_copy(update={name: each for name, each in values.items() if getattr(self, name) == "auto"})
