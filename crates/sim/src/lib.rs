//! Simulation and exhaustive model of Incumbent, in virtual time.
