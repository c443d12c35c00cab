/* The exact step of one axis over one period: see axis_step.c. */
#ifndef AXIS_STEP_H
#define AXIS_STEP_H

#include "axis.h"

/* Rows of the step, and columns: from e, v, i, q, slope, change of slope, load, reported current. */
enum { WAY, VELOCITY, CURRENT, INTEGRAL, REPORTED, ROWS };
enum { COLUMNS = 8 };

struct step {
    double row[ROWS][COLUMNS];
};

/* The step of a moving or resting axis whose reference bends at the share `bend` of the period. */
void exact_step(struct step *out, const struct axis *axis, double period_s, double bend, int moving);

#endif
