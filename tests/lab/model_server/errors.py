"""What can go wrong, with the numbers that gRPC, GetModelStatus and REST share."""
from __future__ import annotations

CANCELLED, UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED = 1, 2, 3, 5, 7
FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS = 9, 12, 13, 14, 15
NAMES = {0: "OK", 1: "Cancelled", 2: "Unknown", 3: "Invalid argument", 4: "Deadline exceeded", 5: "Not found",
         6: "Already exists", 7: "Permission denied", 8: "Resource exhausted", 9: "Failed precondition", 10: "Aborted",
         11: "Out of range", 12: "Unimplemented", 13: "Internal", 14: "Unavailable", 15: "Data loss", 16: "Unauthenticated"}


class Failure(Exception):
    """A status that is not OK. Texts are the real server's: clients match on them."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message

    def __str__(self):
        return "%s: %s" % (NAMES[self.code], self.message)


def invalid(message):
    return Failure(INVALID_ARGUMENT, message)
