"""Message classes that user code names directly, under the module paths Temporal's API package gives them."""
