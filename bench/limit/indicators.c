/* The default strategy with every indicator on and every signal asked, as a plain C loop.
 *
 * What later ticks need is updated on every tick: averages, sums, extremes, %K. What follows from it alone (a ratio, a root,
 * the mean of the last three %K) is worked out when a signal asks. Windows are kept over whole paise: sums and squares are
 * exact and never drift, and the extremes of a window come from a running extreme of this block of ticks and the suffix
 * extremes of the last one (van Herk 1992; Gil and Werman 1993). */
#include <math.h>

#include "account.h"

#define RING 64 /* ticks; a power of two */
#define RECENT_K 16

struct extremes {
    int64_t place; /* of the next tick in its block */
    int64_t low, high;
    int64_t block[RING], suffix_low[RING + 1], suffix_high[RING + 1];
};

struct indicators {
    int64_t green, previous, ring[RING], sum, squares;
    int64_t turnover, volume;
    double fast, slow, macd_fast, macd_slow, macd_signal, htf;
    double gain, loss, range; /* Wilder's averages, in paise; plain sums while warming */
    double k, recent_k[RECENT_K];
    struct extremes extremes;
    double fast_alpha, slow_alpha, macd_fast_alpha, macd_slow_alpha, macd_signal_alpha, htf_alpha, rsi_alpha, atr_alpha;
};

static inline double alpha(int64_t period)
{
    return 2.0 / (double)(period + 1);
}

static void start_indicators(struct indicators *in, const struct rules *r, int64_t price)
{
    in->previous = price;
    in->fast = in->slow = in->macd_fast = in->macd_slow = in->htf = (double)price / 100.0;
    in->fast_alpha = alpha(r->fast_period);
    in->slow_alpha = alpha(r->slow_period);
    in->macd_fast_alpha = alpha(r->macd_fast_period);
    in->macd_slow_alpha = alpha(r->macd_slow_period);
    in->macd_signal_alpha = alpha(r->macd_signal_period);
    in->htf_alpha = alpha(r->htf_period);
    in->rsi_alpha = 1.0 / (double)r->rsi_period;
    in->atr_alpha = 1.0 / (double)r->atr_period;
    in->extremes.low = INT64_MAX;
    in->extremes.high = INT64_MIN;
    for (int i = 0; i <= RING; i++) {
        in->extremes.suffix_low[i] = INT64_MAX;
        in->extremes.suffix_high[i] = INT64_MIN;
    }
}

static inline void start_day(struct indicators *in)
{
    in->turnover = in->volume = 0;
}

static inline void observe_averages(struct indicators *in, double rupees)
{
    in->fast += in->fast_alpha * (rupees - in->fast);
    in->slow += in->slow_alpha * (rupees - in->slow);
    in->macd_fast += in->macd_fast_alpha * (rupees - in->macd_fast);
    in->macd_slow += in->macd_slow_alpha * (rupees - in->macd_slow);
    in->macd_signal += in->macd_signal_alpha * (in->macd_fast - in->macd_slow - in->macd_signal);
    in->htf += in->htf_alpha * (rupees - in->htf);
}

/* Wilder's average of the changes; changes counts them, this one included. The first `period` are averaged plainly. */
static inline double wilder(double average, double value, double alpha, int64_t period, int64_t changes)
{
    if (changes > period)
        return average + alpha * (value - average);
    return changes < period ? average + value : (average + value) / (double)period;
}

static inline void observe_changes(struct indicators *in, const struct rules *r, int64_t n, int64_t price)
{
    if (n < 2)
        return;
    const double change = (double)(price - in->previous);
    in->gain = wilder(in->gain, change > 0.0 ? change : 0.0, in->rsi_alpha, r->rsi_period, n - 1);
    in->loss = wilder(in->loss, change < 0.0 ? -change : 0.0, in->rsi_alpha, r->rsi_period, n - 1);
    in->range = wilder(in->range, fabs(change), in->atr_alpha, r->atr_period, n - 1);
}

static inline void observe_band(struct indicators *in, const struct rules *r, int64_t n, int64_t price)
{
    const int64_t leaving = in->ring[(n - r->bollinger_period) & (RING - 1)]; /* 0 until the window is full */
    in->sum += price - leaving;
    in->squares += price * price - leaving * leaving;
    in->ring[n & (RING - 1)] = price;
}

static inline void observe_stochastic(struct indicators *in, const struct rules *r, int64_t n, int64_t price)
{
    struct extremes *x = &in->extremes;
    x->low = price < x->low ? price : x->low;
    x->high = price > x->high ? price : x->high;
    x->block[x->place++] = price;
    const int64_t before_low = x->suffix_low[x->place], before_high = x->suffix_high[x->place];
    const int64_t low = before_low < x->low ? before_low : x->low;
    const int64_t high = before_high > x->high ? before_high : x->high;
    if (x->place == r->stochastic_k_period) {
        int64_t suffix_low = INT64_MAX, suffix_high = INT64_MIN;
        for (int64_t i = x->place - 1; i > 0; i--) {
            suffix_low = x->block[i] < suffix_low ? x->block[i] : suffix_low;
            suffix_high = x->block[i] > suffix_high ? x->block[i] : suffix_high;
            x->suffix_low[i] = suffix_low;
            x->suffix_high[i] = suffix_high;
        }
        x->place = 0;
        x->low = INT64_MAX;
        x->high = INT64_MIN;
    }
    in->k = high > low ? 100.0 * (double)(price - low) / (double)(high - low) : 0.0;
    in->recent_k[n & (RECENT_K - 1)] = in->k;
}

static inline void observe(struct indicators *in, const struct rules *r, int64_t n, int64_t price, int64_t volume)
{
    observe_averages(in, (double)price / 100.0);
    observe_changes(in, r, n, price);
    observe_band(in, r, n, price);
    observe_stochastic(in, r, n, price);
    in->turnover += price * volume;
    in->volume += volume;
    in->green = price > in->previous ? in->green + 1 : 0;
    in->previous = price;
}

static inline double rsi(const struct indicators *in)
{
    const double both = in->gain + in->loss;
    return both > 0.0 ? 100.0 * in->gain / both : 0.0;
}

/* In paise. The population's variance times the squared period is a whole number. */
static inline double band_deviation(const struct indicators *in, int64_t period)
{
    return sqrt((double)(period * in->squares - in->sum * in->sum)) / (double)period;
}

static inline double stochastic_d(const struct indicators *in, int64_t period, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = period - 1; i >= 0; i--)
        sum += in->recent_k[(n - i) & (RECENT_K - 1)];
    return sum / (double)period;
}

static inline bool long_signal(const struct indicators *in, const struct rules *r, int64_t n, int64_t price,
                               struct result *out)
{
    const double macd = in->macd_fast - in->macd_slow;
    if (!(in->fast > in->slow))
        return out->gate_ema++, false;
    if (n < r->macd_slow_period + r->macd_signal_period - 1 || !(macd > in->macd_signal))
        return out->gate_macd++, false;
    if (in->volume == 0 || price * in->volume <= in->turnover)
        return out->gate_vwap++, false;
    if (n <= r->rsi_period || !(rsi(in) > r->rsi_oversold && rsi(in) < r->rsi_overbought))
        return out->gate_rsi++, false;
    if (!((double)price / 100.0 > in->htf))
        return out->gate_htf++, false;
    const double from_middle = fabs((double)price - (double)in->sum / (double)r->bollinger_period);
    if (n < r->bollinger_period || !(from_middle < r->bollinger_deviations * band_deviation(in, r->bollinger_period)))
        return out->gate_bollinger++, false;
    if (n < r->stochastic_k_period + r->stochastic_d_period - 1 || !(in->k > stochastic_d(in, r->stochastic_d_period, n)))
        return out->gate_stochastic++, false;
    return true;
}

static void report_indicators(const struct indicators *in, const struct rules *r, struct result *out)
{
    out->ema_fast = in->fast;
    out->ema_slow = in->slow;
    out->macd = in->macd_fast - in->macd_slow;
    out->macd_signal = in->macd_signal;
    out->vwap = in->volume ? (double)in->turnover / (double)in->volume / 100.0 : 0.0;
    out->rsi = rsi(in);
    out->htf = in->htf;
    out->bollinger_middle = (double)in->sum / (double)r->bollinger_period / 100.0;
    out->bollinger_deviation = band_deviation(in, r->bollinger_period) / 100.0;
    out->stochastic_k = in->k;
    out->stochastic_d = stochastic_d(in, r->stochastic_d_period, out->accepted);
    out->atr = in->range / 100.0;
}

#include "engine.h"

void run_indicators(const int64_t *times_ns, const int64_t *prices, const int64_t *volumes, int64_t count,
                    const struct day *days, int64_t day_count, const struct rules *rules, struct trade *trades,
                    int64_t capacity, struct result *result)
{
    if (rules->bollinger_period >= RING || rules->stochastic_k_period > RING ||
        rules->stochastic_d_period > RECENT_K)
        *result = (struct result){.status = WINDOW_TOO_LONG};
    else
        *result = run(times_ns, prices, volumes, count, days, day_count, *rules, trades, capacity);
}
