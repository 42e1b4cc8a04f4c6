"""Faults inside a layer: of the gzip file, the tar archive and its entries.

A fault is a function: it is given an image and the absolute path of the canary
folder, and changes one part of the image. Entries that lead out of the root aim
at the canary folder, so that a tool which follows them does no harm.
"""

import archive

_TO_ROOT = "../" * 12  # deeper than any target folder


def _folders(canary):
    """The canary folder's path inside the root, so that a tool which stays there finds nothing missing."""
    names = canary[1:].split("/")
    return [archive.directory("/".join(names[:count]) + "/") for count in range(1, len(names) + 1)]


# The gzip file of a layer.


def gzip_truncated(image, canary):
    """Truncated gzip file."""
    image.blobs[1] = image.blobs[1][: len(image.blobs[1]) // 2]


def gzip_crc(image, canary):
    """Wrong CRC of the gzip file."""
    image.blobs[1] = archive.flip(image.blobs[1], -8)


def gzip_trailer_missing(image, canary):
    """The last 8 bytes of the gzip file are missing."""
    image.blobs[1] = image.blobs[1][:-8]


def gzip_trailing_garbage(image, canary):
    """Garbage after the gzip file."""
    image.blobs[1] += b"garbage behind the end"


def gzip_trailing_zeros(image, canary):
    """Zeros after the gzip file."""
    image.blobs[1] += bytes(512)


def gzip_member_hidden(image, canary):
    """A second gzip member, which the diff_id does not cover."""
    hidden = archive.archive([archive.file("srv/hidden", b"not covered\n")])
    image.blobs[1] += archive.gzip(hidden)


def gzip_member_covered(image, canary):
    """One archive in two gzip members, and the diff_id covers both."""
    tar = image.tars[1]
    image.blobs[1] = archive.gzip(tar[: archive.BLOCK]) + archive.gzip(tar[archive.BLOCK :])


# The tar archive of a layer.


def tar_truncated(image, canary):
    """Truncated tar archive."""
    image.tars[1] = image.tars[1][: -len(archive.END) - 600]  # ends in the content of the last file


def tar_checksum(image, canary):
    """Wrong checksum of a tar header."""
    image.entries[1][1] = archive.flip(image.entries[1][1], 153)  # the last digit of the checksum


def tar_no_end(image, canary):
    """No blocks of zeros at the end of the tar archive."""
    image.tars[1] = image.tars[1][: -len(archive.END)]


def tar_data_after_end(image, canary):
    """An entry after the end of the tar archive."""
    image.tars[1] += archive.archive([archive.file("srv/hidden", b"behind the end\n")])


# The entries of a layer.


def entry_duplicate(image, canary):
    """Two entries of one path."""
    image.entries[1].append(archive.file("srv/greeting", b"another greeting\n"))


def entry_alias(image, canary):
    """Two entries of one path, one of them written with `./`."""
    image.entries[1].append(archive.file("./srv/greeting", b"another greeting\n"))


def path_traversal(image, canary):
    """A path that leaves the root with `../`."""
    folder = canary + "/new"  # a tool may make the folder before it looks at the path
    path = _TO_ROOT + folder[1:] + "/traversal"
    image.entries[1] += [*_folders(folder), archive.file(path, b"escaped\n")]


def path_absolute(image, canary):
    """An absolute path."""
    image.entries[1] += [*_folders(canary), archive.file(canary + "/absolute", b"escaped\n")]


def symlink_escape(image, canary):
    """A file behind a symbolic link that leaves the root."""
    image.entries[1] += [
        *_folders(canary),
        archive.symlink("srv/way-out", _TO_ROOT + canary[1:]),
        archive.file("srv/way-out/symlink", b"escaped\n"),
    ]


def hardlink_outside(image, canary):
    """A hard link to a file outside the root."""
    target = canary[1:] + "/keep"
    image.entries[1] += [
        *_folders(canary),
        archive.file(target, b"inside the root\n"),
        archive.hardlink("srv/stolen", _TO_ROOT + target),
    ]


def hardlink_missing(image, canary):
    """A hard link to a file that does not exist."""
    image.entries[1].append(archive.hardlink("srv/link", "srv/nothing"))


def whiteout_bare(image, canary):
    """A whiteout of nothing, `.wh.`."""
    image.entries[1].append(archive.file("srv/.wh.", b""))


FAULTS = [
    gzip_truncated,
    gzip_crc,
    gzip_trailer_missing,
    gzip_trailing_garbage,
    gzip_trailing_zeros,
    gzip_member_hidden,
    gzip_member_covered,
    tar_truncated,
    tar_checksum,
    tar_no_end,
    tar_data_after_end,
    entry_duplicate,
    entry_alias,
    path_traversal,
    path_absolute,
    symlink_escape,
    hardlink_outside,
    hardlink_missing,
    whiteout_bare,
]
