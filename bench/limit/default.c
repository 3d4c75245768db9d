/* The default strategy with the whole accounting and a record of every exit, as a plain C loop. */
#include "account.h"

struct indicators {
    int64_t green, previous;
    double fast, slow, fast_alpha, slow_alpha;
};

static inline void start_indicators(struct indicators *in, const struct rules *r, int64_t price)
{
    in->previous = price;
    in->fast = in->slow = (double)price / 100.0;
    in->fast_alpha = 2.0 / (double)(r->fast_period + 1);
    in->slow_alpha = 2.0 / (double)(r->slow_period + 1);
}

static inline void start_day(struct indicators *in)
{
    (void)in; /* nothing here is of one day only */
}

static inline void observe(struct indicators *in, const struct rules *r, int64_t n, int64_t price, int64_t volume)
{
    (void)r, (void)n, (void)volume;
    const double rupees = (double)price / 100.0;
    in->fast += in->fast_alpha * (rupees - in->fast);
    in->slow += in->slow_alpha * (rupees - in->slow);
    in->green = price > in->previous ? in->green + 1 : 0;
    in->previous = price;
}

static inline bool long_signal(const struct indicators *in, const struct rules *r, int64_t n, int64_t price,
                               struct result *out)
{
    (void)r, (void)n, (void)price;
    const bool rising = in->fast > in->slow;
    out->gate_ema += !rising;
    return rising;
}

static inline void report_indicators(const struct indicators *in, const struct rules *r, struct result *out)
{
    (void)r;
    out->ema_fast = in->fast;
    out->ema_slow = in->slow;
}

#include "engine.h"

void run_default(const int64_t *times_ns, const int64_t *prices, const int64_t *volumes, int64_t count,
                 const struct day *days, int64_t day_count, const struct rules *rules, struct trade *trades,
                 int64_t capacity, struct result *result)
{
    *result = run(times_ns, prices, volumes, count, days, day_count, *rules, trades, capacity);
}
