/* run RUNNER SCENARIO BUDGET_MS [TRAJECTORY]
 *
 * Runs the scenario again and again until the budget is used up, and prints the median pass in ns per axis and cycle.
 * With TRAJECTORY runs it once more, unmeasured, and writes all states of all cycles: both must end in the same state.
 */
#include "axis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PASSES_MIN = 3, PASSES_MAX = 10000, HEADER = 8 };

static const struct runner *const runners[] = {&rk4_runner, &rk4_fine_runner, &soa_runner, &soa_full_runner,
                                               &casadi_runner};

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "run: %s: %s\n", which, what);
    exit(2);
}

static struct scenario load(const char *path)
{
    FILE *file = fopen(path, "rb");
    double head[HEADER];
    if (!file || fread(head, sizeof *head, HEADER, file) != HEADER)
        fail("expected a scenario file", path);
    struct scenario sc = {.axes = (size_t)head[0], .cycles = (size_t)head[1], .period_s = head[4]};
    if (head[2] != PARAMS || head[3] != STATES || sc.axes < 1 || sc.axes > 1024 || sc.cycles < 1 || sc.cycles > 1000000)
        fail("expected other numbers of parameters, states, axes or cycles: make the scenario anew", path);
    memcpy(sc.limits, head + 5, sizeof sc.limits);
    size_t samples = sc.axes * sc.cycles, values = sc.axes * (PARAMS + STATES + 1) + 4 * samples;
    double *data = malloc(values * sizeof *data);
    if (!data || fread(data, sizeof *data, values, file) != values)
        fail("the scenario file is too short", path);
    fclose(file);
    sc.params = (const struct axis *)data;
    sc.start = (const struct state *)(data + sc.axes * PARAMS);
    sc.targets_m = data + sc.axes * (PARAMS + STATES);
    sc.measured_m = sc.targets_m + samples + sc.axes;
    sc.measured_m_per_s = sc.measured_m + samples;
    sc.measured_a = sc.measured_m_per_s + samples;
    return sc;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 5)
        fail("expected RUNNER SCENARIO BUDGET_MS [TRAJECTORY]", "arguments");
    const struct runner *runner = NULL;
    for (size_t n = 0; n < sizeof runners / sizeof *runners; n++)
        if (!strcmp(runners[n]->name, argv[1]))
            runner = runners[n];
    if (!runner)
        fail("no such runner", argv[1]);
    struct scenario sc = load(argv[2]);
    double budget_ns = atof(argv[3]) * 1e6, begin = now_ns();
    static double passes[PASSES_MAX];
    size_t n = 0;
    struct state *last = calloc(sc.axes, sizeof *last), *states = calloc(sc.axes, sizeof *states);
    if (!last || !states)
        fail("no memory", argv[1]);
    while (n < PASSES_MIN || (n < PASSES_MAX && now_ns() - begin < budget_ns)) {
        runner->start(&sc);
        double before = now_ns();
        for (size_t k = 0; k < sc.cycles; k++)
            runner->cycle(&sc, k);
        passes[n++] = (now_ns() - before) / (double)(sc.axes * sc.cycles);
    }
    runner->states(last);
    qsort(passes, n, sizeof *passes, ascending);
    printf("%.3f\n", passes[n / 2]);
    if (runner->evidence)
        runner->evidence();
    if (argc == 5) {
        FILE *file = fopen(argv[4], "wb");
        if (!file)
            fail("cannot be written", argv[4]);
        runner->start(&sc);
        for (size_t k = 0; k < sc.cycles; k++) {
            runner->cycle(&sc, k);
            runner->states(states);
            if (fwrite(states, sizeof *states, sc.axes, file) != sc.axes)
                fail("cannot be written", argv[4]);
        }
        if (fclose(file))
            fail("cannot be written", argv[4]);
        if (memcmp(last, states, sc.axes * sizeof *states))
            fail("the measured run did not end as the written one", argv[1]);
    }
    return 0;
}
