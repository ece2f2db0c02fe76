"""The one exception for what a user can put right."""


class LonghaulError(ValueError):
    """A refusal: names the argument, the value it got, what is allowed and what to do next."""
