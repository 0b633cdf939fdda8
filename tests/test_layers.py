import pytest

from dreamvid.errors import NetworkError
from dreamvid.networks.layers import Choice, chosen

LAYERS = ("conv1/7x7_s2", "conv2/norm2", "inception_4c/3x3", "inception_4c/output", "features.11")


@pytest.mark.parametrize(
    ("selector", "choices"),
    [
        ("conv2/norm2", [Choice("conv2/norm2", None, 1.0)]),
        ("conv2/norm2=0.5", [Choice("conv2/norm2", None, 0.5)]),
        ("conv2/norm2:7", [Choice("conv2/norm2", (7,), 1.0)]),
        ("conv2/norm2:3, 7,3=-2", [Choice("conv2/norm2", (3, 7), -2.0)]),
        ("conv2/norm2:9..7, 3=0", [Choice("conv2/norm2", (9, 8, 7, 3), 0.0)]),
        ("features.11", [Choice("features.11")]),
        ("1", [Choice("conv1/7x7_s2")]),
        ("5:0", [Choice("features.11", (0,))]),
        ("inception_4c/*=2", [Choice(layer, None, 2.0) for layer in LAYERS[2:4]]),
        ("*[24]*/[no]*", [Choice("conv2/norm2"), Choice("inception_4c/output")]),
    ],
)
def test_a_selector_names_layers_channels_and_a_weight(selector, choices):
    assert chosen(LAYERS, [selector], "net") == tuple(choices)


def test_selectors_keep_their_order_and_a_later_one_overrides():
    found = chosen(LAYERS, ["4", "*4c*=2", "3=5", "3:1"], "net")
    assert found == (
        Choice("inception_4c/output", None, 2.0),
        Choice("inception_4c/3x3", None, 5.0),
        Choice("inception_4c/3x3", (1,), 1.0),
    )


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        (
            "inception_4c/outptu",
            "net: no layer 'inception_4c/outptu'; did you mean 'inception_4c/",
        ),
        ("norm3", "did you mean 'conv2/norm2'"),
        ("output", "did you mean 'inception_4c/output'"),
        ("nothing*", "no layer 'nothing*'"),
        ("", "no layer ''"),
        ("0", "layers are 1 to 5"),
        ("6", "layers are 1 to 5"),
        ("1=", "weight is ''"),
        ("1=much", "weight is 'much'"),
        ("1=nan", "weight is 'nan'"),
        ("1=inf", "weight is 'inf'"),
        ("1:", "channels are ''"),
        ("1:-3", "channels are '-3'"),
        ("1:3,,4", "channels are '3,,4'"),
        ("1:two", "channels are 'two'"),
    ],
)
def test_a_bad_selector_is_explained_in_one_line(selector, words):
    with pytest.raises(NetworkError) as caught:
        chosen(LAYERS, [selector], "net")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
