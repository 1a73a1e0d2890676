"""What learns. ``towers`` and ``rankers`` are the networks that ship, ``training`` makes releases of them,
``evaluation`` measures them; what is measured but does not ship is in ``evaluation.methods``."""
