"""VGG in plain PyTorch, with torchvision's names."""

from torch import nn


class VGG(nn.Module):
    def __init__(self, groups, classes=1000, hidden=4096):
        super().__init__()
        steps, inside = [], 3
        for widths in groups:
            for width in widths:
                steps += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU()]
                inside = width
            steps.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*steps)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            *(nn.Linear(49 * inside, hidden), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes)),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
