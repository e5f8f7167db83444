"""Watch's pictures in TensorBoard's own files."""

import io

import numpy as np
import pytest
from PIL import Image

import featviz as fv

pytestmark = pytest.mark.frameworks

REASON = "tensorboardX is not installed: make test-frameworks installs it"
tensorboard = pytest.importorskip("tensorboardX", reason=REASON)


def test_pictures_go_to_tensorboard(tmp_path):
    from tensorboardX.proto.event_pb2 import Event

    model = fv.load("patterns")
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:
        watch = fv.Watch(model, fv.channel("conv1", 3), every=10, writer=writer, size=16, steps=2)
        (picture,) = watch(10, model.weights)
    (file,) = tmp_path.glob("events*")
    found, data = [], file.read_bytes()
    # A record is its length (8 bytes), a checksum (4), an event and another checksum (4).
    while data:
        length = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + length])
        found += [(event.step, value) for value in event.summary.value]
        data = data[16 + length :]
    [(step, value)] = found
    assert (step, value.tag) == (10, "conv1/3")
    image = np.asarray(Image.open(io.BytesIO(value.image.encoded_image_string)))
    np.testing.assert_array_equal(image, picture.to_uint8())
