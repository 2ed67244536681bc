"""The settings of the training."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from darkroom.settings.base import Section, Seed
from darkroom.settings.networks import OWN, unknown_network


class Train(Section):
    network: Annotated[str, Field(min_length=1)] = Field(
        description="A network by name: `simple_cnn`, `small_image_net`, `capsule_net`, any torchvision classification network "
        "(`resnet18`, `vgg16`, `vit_b_16`, …), or `timm/` and the name of one of timm's; docs/networks.md lists "
        "them."
    )
    filters: Annotated[int, Field(ge=1, le=1024)] = Field(
        description="simple_cnn, small_image_net: channels of the first block. Multiples of 32 run fastest."
    )
    depth: Annotated[int, Field(ge=1, le=6)] = Field(
        description="simple_cnn: how many blocks of two convolutions; each halves the picture."
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="simple_cnn, small_image_net: dropout before the last layer."
    )
    pooling: Literal["mean", "grid"] = Field(
        description="timm's networks: what the last layer is given. `mean` is the network's own mean over the picture, `grid` "
        "the means of 3 x 3 cells of its last two maps, which tell more when the backbone is frozen."
    )
    weights: Annotated[str, Field(min_length=1)] = Field(
        description="What the network starts from: `none`, `imagenet` (weights that are on this machine), `download` (the same,"
        " fetched where they are not), or a safetensors or state-dict file."
    )
    freeze: Literal["none", "backbone"] | Annotated[int, Field(ge=1)] = Field(
        description="What does not learn: `backbone` is everything but the last layer, a number so many of the network's "
        "stages, counted from the input."
    )
    unfreeze: list[Annotated[int, Field(ge=2)]] = Field(
        description="Epochs at which one more frozen stage begins to learn, the one nearest to the output first."
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        description="The learning rate of each stage, as a share of that of the stage behind it; 1: all the same."
    )
    epochs: Annotated[int, Field(ge=1)] = Field(description="Passes over the training images, at most.")
    batch_size: Literal["auto"] | Annotated[int, Field(ge=2)] = Field(
        description="Images a step. `auto`: 256, fewer where that would make few steps."
    )
    loss: Literal["auto", "cross_entropy", "binary", "focal", "margin"] = Field(
        description="`binary`: binary cross-entropy, for two classes; `focal` turns to what is hard; `margin` is for "
        "capsule_net. `auto`: margin for capsule_net, cross_entropy for all others."
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        description="cross_entropy, binary: this share of a label is spread over all classes."
    )
    focal_gamma: Annotated[float, Field(ge=0)] = Field(description="focal: how little easy images count; 0: all alike.")
    balance: Literal["none", "weights", "sampler"] = Field(
        description="For classes of unequal size: `weights` counts the loss of rare classes more, `sampler` shows their images "
        "more often; `none` does neither."
    )
    optimizer: Literal["auto", "adam", "adamw", "muon", "rmsprop", "sgd"] = Field(
        description="`sgd` has Nesterov momentum 0.9. `auto`: by the network."
    )
    learning_rate: Literal["auto"] | Annotated[float, Field(gt=0)] = Field(
        description="The highest rate of the schedule. `auto`: by optimizer, network and what is frozen."
    )
    weight_decay: Literal["auto"] | Annotated[float, Field(ge=0)] = Field(
        description="L2 penalty, or decoupled decay for adamw and muon. `auto`: by the optimizer."
    )
    schedule: Literal["constant", "cosine", "one-cycle", "step"] = Field(
        description="`one-cycle` climbs for the first quarter, then falls to nothing; `cosine` falls to nothing from the start;"
        " `step` falls every `step_epochs`. The steps are counted from `epochs`."
    )
    warmup: Annotated[float, Field(ge=0)] = Field(
        description="Epochs in which the rate climbs to its highest, before the schedule; one-cycle: in place of its quarter."
    )
    step_epochs: Annotated[int, Field(ge=1)] = Field(description="step: epochs between two falls.")
    step_factor: Annotated[float, Field(gt=0, le=1)] = Field(description="step: what a fall multiplies the rate by.")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Keep a moving average of the weights, with this share of the average staying at each step, and use it in "
        "their place; 0: none."
    )
    clip_gradient: Annotated[float, Field(ge=0)] = Field(
        description="Longest gradient, as its norm over all weights; longer ones are shortened to it. 0: none."
    )
    flip: bool = Field(
        description="Mirror training images left to right in every second epoch; wrong for text and digits."
    )
    shift: Annotated[float, Field(ge=0, le=0.5)] = Field(
        description="Move training images by up to this share of their side, in both directions."
    )
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(description="Turn training images by up to so many degrees.")
    zoom: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Enlarge or shrink training images by up to this share."
    )
    crop: Annotated[float, Field(gt=0, le=1)] = Field(
        description="Cut a part of at least this share of the area, with sides as 3:4 to 4:3, and enlarge it to the whole; "
        "1: no cutting."
    )
    brightness: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Add up to this share of the full range to, or take it from, all pixels of a training image."
    )
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Move the pixels of a training image away from or toward their mean by up to this share."
    )
    noise: Annotated[float, Field(ge=0, le=0.5)] = Field(
        description="Standard deviation of noise added to each value, as a share of the full range."
    )
    cutout: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Fill a square with this share of the side, at a random place, with the image's mean colour; 0: none."
    )
    mixup: Annotated[float, Field(ge=0)] = Field(
        description="Blend each image and its label with another: alpha of the Beta distribution of the share; 0: none."
    )
    cutmix: Annotated[float, Field(ge=0)] = Field(
        description="Put a rectangle of another image into each, with its share of the label: alpha, as for mixup; with both "
        "set each batch draws one of them."
    )
    albumentations: list[dict[str, Any]] = Field(
        description="Transforms of Albumentations, each as `{name: GaussianBlur, blur_limit: [3, 5], p: 0.3}`: one image at a "
        "time, in this order, before all others."
    )
    workers: Annotated[int, Field(ge=0, le=64)] = Field(
        description="Processes that prepare batches ahead; 0: none, which is fastest without Albumentations. Results do not "
        "depend on it."
    )
    patience: Annotated[int, Field(ge=1)] = Field(
        description="Stop after this many epochs without a better validation loss; the best epoch's weights are kept."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        description="`auto`: bfloat16 where the processor multiplies it in hardware (AMX, AVX512-BF16, CUDA), float16 on older "
        "GPUs, else float32."
    )
    seed: Seed = Field(description="Of weights, order, augmentation and dropout.")

    @field_validator("network")
    @classmethod
    def _known_network(cls, name: str) -> str:
        if problem := unknown_network(name):
            raise ValueError(problem)
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> "Train":
        if self.unfreeze and self.freeze == "none":
            raise ValueError("unfreeze names epochs, and freeze=none leaves nothing to unfreeze")
        if sorted(set(self.unfreeze)) != self.unfreeze:
            raise ValueError(f"unfreeze must name its epochs once each and in order, and is {self.unfreeze}")
        if self.loss == "binary" and (self.mixup or self.cutmix):
            raise ValueError("mixup and cutmix need loss=cross_entropy or focal")
        if (self.loss == "margin") != (self.network == "capsule_net") and self.loss != "auto":
            raise ValueError(f"network={self.network} does not go with loss={self.loss}; loss=auto chooses")
        if self.pooling == "grid" and not self.network.startswith("timm/"):
            raise ValueError(f"pooling=grid is for timm's networks, and network is {self.network}: set pooling=mean")
        if self.weights in ("imagenet", "download") and self.network in OWN:
            raise ValueError(f"there are no published weights of {self.network}: set weights=none, or a file")
        if self.warmup > self.epochs:
            raise ValueError(f"warmup ({self.warmup} epochs) is longer than the training ({self.epochs} epochs)")
        return self
