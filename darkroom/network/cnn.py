"""Two convolutional networks of our own: a plain one for any size, and a fast one for pictures of up to 64 pixels."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SimpleCNN(nn.Module):
    """Blocks of two 3x3 convolutions, each with batch normalisation and ReLU; a maximum over 2x2 ends a block.

    After the last block the mean over the picture, dropout, and one linear layer. The first block has `filters` channels,
    the others twice as many.

    Args:
        classes: how many logits come out.
        channels: of the input image.
        filters: channels of the first block; multiples of 32 stay on the processor's fast bfloat16 path.
        depth: blocks; the picture must be at least 2**depth pixels wide.
        dropout: probability of dropping a feature before the last layer.
    """

    def __init__(self, classes: int, channels: int, filters: int, depth: int, dropout: float) -> None:
        super().__init__()
        widths = [filters] + [2 * filters] * (depth - 1)
        layers: list[nn.Module] = []
        before = channels
        for width in widths:
            for _ in range(2):
                # No bias: the normalisation that follows has one.
                layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(before, classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes] of normalised images [N, channels, H, W]."""
        logits: Tensor = self.head(self.features(images))
        return logits


class SmallImageNet(nn.Module):
    """Seven layers that learn quickly, after Keller Jordan's airbench (2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
    arXiv 2404.00498).

    A frozen layer whitens the pixels of each 2 x 2 patch, and ReLU follows. Then three blocks, each a 3 x 3 convolution, a
    maximum over 2 x 2, batch normalisation, GELU, and a second convolution with the same but the maximum. A maximum over what
    is left of the picture and one linear layer end it. No residual connections: the convolutions begin as the identity on
    their first channels. Pictures of fewer than 16 pixels meet fewer maxima.

    Args:
        classes: how many logits come out.
        channels: of the input image, 1 or 3.
        filters: channels of the first block; the second and third have four times as many.
        dropout: probability of dropping a feature before the last layer.
    """

    def __init__(self, classes: int, channels: int, filters: int, dropout: float) -> None:
        super().__init__()
        # Each direction of the patches with either sign: 8 channels for grey, 24 for colour. Filled up to 32 with zeros, they
        # cost grey images an eighth of a step (docs/decisions/2026-11-28-training-from-nothing.md).
        whitened = 8 * channels
        self.whitening = nn.Conv2d(channels, whitened, 2)
        self.whitening.weight.requires_grad_(False)
        widths = [filters, 4 * filters, 4 * filters]
        self.blocks = nn.Sequential(*(_Block(*shape) for shape in zip([whitened, *widths], widths, strict=False)))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes, bias=False)

    @torch.no_grad()
    def init_whitening(self, images: Tensor) -> None:
        """Set the first layer so that what it gives is uncorrelated, each direction once with either sign.

        Args:
            images: some thousand training images, normalised, float32 [N, C, H, W].
        """
        channels = images.shape[1]
        patches = functional.unfold(images, 2).transpose(1, 2).reshape(-1, 4 * channels).double()
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        # The sign of an eigenvector is the library's choice: the largest component is made positive.
        largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
        directions = (vectors * largest.sign() / (values + 5e-4).sqrt()).T.flip(0).reshape(-1, channels, 2, 2)
        self.whitening.weight.copy_(torch.cat([directions, -directions]).float())
        assert self.whitening.bias is not None
        self.whitening.bias.zero_()

    def freeze_whitening(self) -> None:
        """Train its biases no more: without a gradient of the largest map an epoch takes a tenth less."""
        self.whitening.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes] of normalised images [N, channels, H, W]."""
        features = self.blocks(functional.relu(self.whitening(images))).amax((2, 3))
        # Nine times the width of a feature would make the first logits too large.
        logits: Tensor = self.head(self.dropout(features)) / 9
        return logits


class _Block(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([_norm(width), _norm(width)])
        # So that the first steps see the picture: its first channels pass through both convolutions unchanged.
        with torch.no_grad():
            nn.init.dirac_(self.first.weight[:before])
            nn.init.dirac_(self.second.weight)

    def forward(self, pictures: Tensor) -> Tensor:
        pictures = self.first(pictures)
        if pictures.shape[-1] > 1:
            pictures = functional.max_pool2d(pictures, 2)
        pictures = functional.gelu(self.norms[0](pictures))
        pictures = functional.gelu(self.norms[1](self.second(pictures)))
        return pictures


def _norm(width: int) -> nn.BatchNorm2d:
    """Batch normalisation without a learned scale, whose running statistics follow within few steps."""
    norm = nn.BatchNorm2d(width, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm
