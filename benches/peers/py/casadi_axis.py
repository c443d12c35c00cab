"""The axis as a CasADi function. casadi_axis.py FOLDER: writes its C code as FOLDER/casadi_axis.c and .h."""

import os
import sys

import casadi as ca
from axis import PARAMS, STATES, step


class Symbolic:
    """CasADi's names for what `slope` needs."""

    tanh = staticmethod(ca.tanh)
    minimum = staticmethod(ca.fmin)
    maximum = staticmethod(ca.fmax)

    @staticmethod
    def where(condition, yes, no):
        return ca.if_else(condition, yes, no)

    @staticmethod
    def equal(a, b):
        return a == b


def function():
    """(state, prepared parameters, last target, next target, period) -> next state."""
    s, p = ca.SX.sym("s", len(STATES)), ca.SX.sym("p", len(PARAMS))
    from_m, to_m, period_s = ca.SX.sym("from_m"), ca.SX.sym("to_m"), ca.SX.sym("period_s")
    end = step(ca.vertsplit(p), ca.vertsplit(s), from_m, to_m, period_s, Symbolic)
    return ca.Function("axis_step", [s, p, from_m, to_m, period_s], [ca.vertcat(*end)])


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    function().generate("casadi_axis.c", {"with_header": True})
