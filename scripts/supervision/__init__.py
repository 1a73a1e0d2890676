"""The parts of ECRS on one machine, run by supervisord: `make up`, `make status`, `make down`."""
