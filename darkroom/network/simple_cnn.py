"""A plain convolutional network for small images."""

from torch import Tensor, nn


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
