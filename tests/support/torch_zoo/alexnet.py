"""AlexNet in plain PyTorch, with torchvision's names."""

from torch import nn


class AlexNet(nn.Module):
    def __init__(self, classes=1000, hidden=4096):
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            *(nn.Dropout(), nn.Linear(36 * 256, hidden), nn.ReLU()),
            *(nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes)),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
