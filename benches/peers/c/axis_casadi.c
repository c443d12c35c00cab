/* Calls the C code that CasADi generated from the symbolic axis (`py/casadi_axis.py`). */
#include "axis.h"
#include "casadi_axis.h"

#include <stdlib.h>
#include <string.h>

static struct axis *axes;
static struct state *states;
static size_t count;
static const casadi_real **arg;
static casadi_real **res, *work;
static casadi_int *integers;

static void start(const struct scenario *sc)
{
    casadi_int args, results, ints, reals;
    if (axis_step_work(&args, &results, &ints, &reals))
        abort();
    count = sc->axes;
    axes = realloc(axes, count * sizeof *axes);
    states = realloc(states, count * sizeof *states);
    arg = realloc(arg, (size_t)args * sizeof *arg);
    res = realloc(res, (size_t)results * sizeof *res);
    integers = realloc(integers, (size_t)(ints + 1) * sizeof *integers);
    work = realloc(work, (size_t)(reals + 1) * sizeof *work);
    if (!axes || !states || !arg || !res || !integers || !work)
        abort();
    for (size_t a = 0; a < count; a++) {
        axes[a] = prepare(sc->params[a]);
        states[a] = sc->start[a];
    }
}

static void cycle(const struct scenario *sc, size_t k)
{
    const double *from_m = sc->targets_m + k * count, *to_m = from_m + count;
    for (size_t a = 0; a < count; a++) {
        struct state next;
        arg[0] = (const double *)&states[a];
        arg[1] = (const double *)&axes[a];
        arg[2] = &from_m[a];
        arg[3] = &to_m[a];
        arg[4] = &sc->period_s;
        res[0] = (double *)&next;
        axis_step(arg, res, integers, work, 0);
        states[a] = next;
    }
}

static void tell(struct state *out)
{
    memcpy(out, states, count * sizeof *out);
}

const struct runner casadi_runner = {"casadi", start, cycle, tell, NULL};
