"""`roi_align`, which horama uses for its crops."""

import math

import torch


def roi_align(
    input: torch.Tensor,
    boxes: torch.Tensor,
    output_size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> torch.Tensor:
    """Crops of images, resampled: (n, c, h, w) and boxes (k, 5) of [image, x1, y1, x2, y2] -> (k, c, *output_size).

    He et al. 2017: a bin's value is the mean of a grid of bilinear samples, `sampling_ratio` a side, or as many as
    the bin has pixels. Since this is separable, a crop is two matrix products, which is fast.

    >>> ramp = torch.arange(8.0).repeat(8, 1)[None, None]
    >>> roi_align(ramp, torch.tensor([[0.0, 1.0, 1.0, 5.0, 5.0]]), (2, 2))[0, 0].tolist()
    [[2.0, 4.0], [2.0, 4.0]]
    """
    offset = 0.5 if aligned else 0.0
    crops = []
    for image, *corners in boxes.tolist():
        x1, y1, x2, y2 = (corner * spatial_scale - offset for corner in corners)
        smallest = 0.0 if aligned else 1.0
        rows, top = resampling(y1, max(y2 - y1, smallest), output_size[0], input.shape[2], sampling_ratio)
        columns, left = resampling(x1, max(x2 - x1, smallest), output_size[1], input.shape[3], sampling_ratio)
        part = input[int(image), :, top : top + rows.shape[1], left : left + columns.shape[1]]
        crops.append(rows.to(input) @ part @ columns.to(input).T)
    return torch.stack(crops)


def resampling(start: float, length: float, bins: int, size: int, ratio: int) -> tuple[torch.Tensor, int]:
    """Weights of the pixels in each bin along one axis, (bins, pixels), and the first of these pixels.

    Samples up to one pixel outside take the border's value, others count as 0.
    """
    fine = ratio if ratio > 0 else max(math.ceil(length / bins), 1)
    points = start + (torch.arange(bins * fine) + 0.5) * length / (bins * fine)
    inside = ((points >= -1) & (points <= size)) / fine
    points = points.clamp(0, size - 1)
    low = points.long()
    high, share = (low + 1).clamp(max=size - 1), points - low
    first = int(low.min())
    weights = torch.zeros(bins, int(high.max()) - first + 1)
    bin_of = torch.arange(bins).repeat_interleave(fine)
    for pixel, weight in ((low, 1 - share), (high, share)):
        weights.index_put_((bin_of, pixel - first), weight * inside, accumulate=True)
    return weights, first
