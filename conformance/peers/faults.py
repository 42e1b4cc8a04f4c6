"""All faults: each makes an image of the good control in which one thing is wrong.

All digests and sizes fit, except where they are the fault.
"""

import document_faults
import layer_faults
from image import Image

FAULTS = {
    function.__name__.replace("_", "-"): function for function in document_faults.FAULTS + layer_faults.FAULTS
}


def title(slug):
    """What the fault is, in words."""
    return FAULTS[slug].__doc__.rstrip(".")


def write(slug, folder, canary):
    """Write the layout of a fault; `canary` is the absolute path of the folder that escapes aim at."""
    image = Image()
    FAULTS[slug](image, canary)
    image.write(folder)


def write_good(folder):
    """Write the good control."""
    Image().write(folder)
