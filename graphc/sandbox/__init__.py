"""Names of Theano's sandbox, so that imports of old programs find what they look for."""
