/* The axis of axis_rk4.c as an FMU: FMI 2.0 for Co-Simulation, written after the standard's text, without its headers.
 *
 * Value references, as in the modelDescription.xml that `py/fmu.py` writes: 0 the input `target`; 1 to 5 the outputs in the
 * order of `struct state`; from 10 the parameters in the order of `struct axis`; from 40 the state to start from, and 45
 * the target before the first step.
 */
#include "axis.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned int reference_t;
typedef int status_t; /* fmi2OK, fmi2Warning, fmi2Discard, fmi2Error, fmi2Fatal, fmi2Pending */
enum { OK = 0, DISCARD = 2, ERROR = 3 };
enum { TARGET = 0, OUTPUT = 1, PARAMETER = 10, START = 40, START_TARGET = START + STATES };

#define EXPORT __attribute__((visibility("default")))

struct instance {
    struct axis raw, prepared;
    struct state start, state;
    double start_m, from_m, target_m;
};

/* Where a value stands, NULL for a reference that there is not. */
static double *place(struct instance *c, reference_t r)
{
    if (r == TARGET)
        return &c->target_m;
    if (r < OUTPUT + STATES)
        return (double *)&c->state + (r - OUTPUT);
    if (r >= PARAMETER && r < PARAMETER + PARAMS)
        return (double *)&c->raw + (r - PARAMETER);
    if (r >= START && r < START_TARGET)
        return (double *)&c->start + (r - START);
    return r == START_TARGET ? &c->start_m : NULL;
}

EXPORT const char *fmi2GetTypesPlatform(void) { return "default"; }
EXPORT const char *fmi2GetVersion(void) { return "2.0"; }

EXPORT void *fmi2Instantiate(const char *name, int type, const char *guid, const char *resources, const void *functions,
                             int visible, int logging)
{
    (void)name, (void)guid, (void)resources, (void)functions, (void)visible, (void)logging;
    return type == 1 ? calloc(1, sizeof(struct instance)) : NULL; /* 1: co-simulation */
}

EXPORT void fmi2FreeInstance(void *c) { free(c); }

EXPORT status_t fmi2SetupExperiment(void *c, int tolerance_given, double tolerance, double start, int stop_given, double stop)
{
    (void)c, (void)tolerance_given, (void)tolerance, (void)start, (void)stop_given, (void)stop;
    return OK;
}

EXPORT status_t fmi2EnterInitializationMode(void *c)
{
    (void)c;
    return OK;
}

EXPORT status_t fmi2ExitInitializationMode(void *component)
{
    struct instance *c = component;
    c->prepared = prepare(c->raw);
    c->state = c->start;
    c->from_m = c->start_m;
    return OK;
}

EXPORT status_t fmi2Terminate(void *c)
{
    (void)c;
    return OK;
}

EXPORT status_t fmi2Reset(void *c)
{
    memset(c, 0, sizeof(struct instance));
    return OK;
}

EXPORT status_t fmi2GetReal(void *c, const reference_t *r, size_t n, double *values)
{
    for (size_t k = 0; k < n; k++) {
        const double *at = place(c, r[k]);
        if (!at)
            return ERROR;
        values[k] = *at;
    }
    return OK;
}

EXPORT status_t fmi2SetReal(void *c, const reference_t *r, size_t n, const double *values)
{
    for (size_t k = 0; k < n; k++) {
        double *at = place(c, r[k]);
        if (!at)
            return ERROR;
        *at = values[k];
    }
    return OK;
}

EXPORT status_t fmi2DoStep(void *component, double time, double step, int keep)
{
    struct instance *c = component;
    (void)time, (void)keep;
    rk4_step(&c->prepared, &c->state, c->from_m, c->target_m, step);
    c->from_m = c->target_m;
    return OK;
}

/* What the standard wants to be there and this model has not: no variables of other types, no state to save, no
 * asynchronous steps. */
#define ABSENT(name, ...)                                                                                                 \
    EXPORT status_t name(__VA_ARGS__) { return ERROR; }
ABSENT(fmi2GetInteger, void *c, const reference_t *r, size_t n, int *v)
ABSENT(fmi2GetBoolean, void *c, const reference_t *r, size_t n, int *v)
ABSENT(fmi2GetString, void *c, const reference_t *r, size_t n, const char **v)
ABSENT(fmi2SetInteger, void *c, const reference_t *r, size_t n, const int *v)
ABSENT(fmi2SetBoolean, void *c, const reference_t *r, size_t n, const int *v)
ABSENT(fmi2SetString, void *c, const reference_t *r, size_t n, const char *const *v)
ABSENT(fmi2GetFMUstate, void *c, void **state)
ABSENT(fmi2SetFMUstate, void *c, void *state)
ABSENT(fmi2FreeFMUstate, void *c, void **state)
ABSENT(fmi2SerializedFMUstateSize, void *c, void *state, size_t *n)
ABSENT(fmi2SerializeFMUstate, void *c, void *state, char *bytes, size_t n)
ABSENT(fmi2DeSerializeFMUstate, void *c, const char *bytes, size_t n, void **state)
ABSENT(fmi2GetDirectionalDerivative, void *c, const reference_t *u, size_t nu, const reference_t *k, size_t nk,
       const double *dk, double *du)
ABSENT(fmi2SetRealInputDerivatives, void *c, const reference_t *r, size_t n, const int *order, const double *v)
ABSENT(fmi2GetRealOutputDerivatives, void *c, const reference_t *r, size_t n, const int *order, double *v)
ABSENT(fmi2CancelStep, void *c)
ABSENT(fmi2GetStatus, void *c, int kind, int *v)
ABSENT(fmi2GetRealStatus, void *c, int kind, double *v)
ABSENT(fmi2GetIntegerStatus, void *c, int kind, int *v)
ABSENT(fmi2GetBooleanStatus, void *c, int kind, int *v)
ABSENT(fmi2GetStringStatus, void *c, int kind, const char **v)
ABSENT(fmi2SetDebugLogging, void *c, int on, size_t n, const char *const *categories)
