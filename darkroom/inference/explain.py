"""The heat maps of a network's answers, by the method that fits the network, and which that was."""

from dataclasses import dataclass

import torch
from torch import nn

from darkroom.inference.corruptions import damaged_copies
from darkroom.inference.explained import Explained, choose_images
from darkroom.inference.grad_cam import grad_cam, network_input
from darkroom.inference.inputs import SplitImages
from darkroom.inference.logits import logits
from darkroom.inference.map_layer import MapLayer, find_map_layer
from darkroom.inference.occlusion import CELLS, occlusion
from darkroom.network.capsule_net import CapsuleNet
from darkroom.network.grid import GridPooled
from darkroom.network.load import Normalized
from darkroom.runtime.arrays import Float32s, Int64s, UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import softmax

# To find the layer with; a gradient that is zero for one picture may be so by chance.
TRIED = 4


@dataclass(frozen=True)
class Explanation:
    """Heat maps, and how to read them.

    Attributes:
        method: `grad-cam` or `occlusion`.
        text: two sentences for the page: what is shown, and where it was measured.
        maps: float32 [N, S, S] in [0, 1]; 1 is what spoke most for the class in that image. All zeros where nothing did.
    """

    method: str
    text: str
    maps: Float32s


def explain_test_images(
    model: nn.Module, test: SplitImages, answers: Float32s, gallery: int, device: torch.device
) -> Explained:
    """Heat maps of the test images that `choose_images` chooses, and one image damaged.

    Args:
        model: as for `explain`.
        test: the test split.
        answers: logits float32 [N, K] of its images.
        gallery: how many images each gallery of the report shows.
        device: where to compute.
    """
    predicted = answers.argmax(axis=1)
    choice = choose_images(answers, test.labels, test.ids, gallery)
    rows = choice.rows()
    explanation = explain(model, test.images[rows], predicted[rows], device)
    # The damage is shown on the first image that is predicted correctly, or on the first of all.
    example = int((predicted == test.labels).argmax())
    return Explained(
        method=explanation.method,
        text=explanation.text,
        gallery=gallery,
        choice=choice,
        heat=dict(zip(rows, explanation.maps, strict=True)),
        damaged=damaged_copies(test.images[example], test.ids[example]),
    )


def explain(model: nn.Module, images: UInt8s, classes: Int64s, device: torch.device) -> Explanation:
    """What in each image spoke for a class: Grad-CAM, or occlusion where the network has no map that it would fit.

    A capsule network has maps, but says its classes by agreement: the rounds that decide where a capsule turns pass no
    gradient on (`darkroom.network.capsule_net`), so a gradient would leave out the very thing to be explained.

    Args:
        model: `Normalized`, in eval mode; takes uint8 [N, S, S, C] and gives logits float32 [N, K].
        images: uint8 [N, S, S, C], N being at least 1; may be memory-mapped.
        classes: int64 [N], the class to explain for each image: as a rule the predicted one.
        device: where to compute.

    Raises:
        DarkroomError: when there is not one class for each image.
    """
    if len(images) != len(classes) or not len(images):
        raise DarkroomError(f"{len(images):,} images to explain, and {len(classes):,} classes: give one for each image")
    assert isinstance(model, Normalized)
    model.to(device)
    layer = None
    if not isinstance(model.network, CapsuleNet):
        layer = find_map_layer(model.network, network_input(model, images[:TRIED], device))
    if layer is not None:
        by_place = any(isinstance(module, GridPooled) for module in model.network.modules())
        maps = grad_cam(model, layer.name, images, classes, device, by_place)
        return Explanation("grad-cam", _grad_cam_text(layer, by_place), maps)

    def answer(pictures: UInt8s) -> Float32s:
        return softmax(logits(model, pictures, device, None))

    return Explanation("occlusion", OCCLUSION_TEXT, occlusion(answer, images, classes))


def _grad_cam_text(layer: MapLayer, by_place: bool) -> str:
    method = "Grad-CAM, place by place (Draelos and Carin 2020)" if by_place else "Grad-CAM (Selvaraju et al. 2017)"
    return (
        f"{method} at the layer {layer.name}, whose maps are {layer.side} x {layer.side} cells: bright "
        "is what raised the class. It shows where the network looked, coarsely, and not why."
    )


OCCLUSION_TEXT = (
    f"Occlusion (Zeiler and Fergus 2014): a square is moved over the picture in {CELLS} x {CELLS} steps, and bright is what "
    "the class loses most without. It shows where the network looked, coarsely, and not why."
)
