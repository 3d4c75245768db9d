/* The reduced job, as a plain C loop: the limit that an engine on floats can reach.
 *
 * Enter on three rising ticks while the fast EMA is above the slow one; leave at the stop, the trailing stop, the target
 * or the day's end. Orders fill at the price of the tick that triggers them; each side costs a fraction of its turnover.
 * Levels carry a millionth of slack, so that float prices meet them exactly where whole paise would. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define DAY_NS 86400000000000LL
#define LEVEL_SLACK 1e-6

struct reduced_rules {
    double cash, cash_fraction, fee_fraction;
    double stop_points, target_points, trail_activation_points, trail_distance_points;
    int64_t fast_period, slow_period, green_ticks, warmup_ticks, lot_size;
    int64_t utc_offset_ns, open_ns, close_ns; /* entries from open until before close, counted from local midnight */
};

struct reduced_result {
    double cash, fast, slow, open_entry;
    int64_t trades, open_quantity;
};

void run_reduced(const int64_t *restrict time_ns, const double *restrict price, int64_t count,
                 const struct reduced_rules *rules, struct reduced_result *result)
{
    const struct reduced_rules r = *rules;
    const double fast_alpha = 2.0 / (double)(r.fast_period + 1), slow_alpha = 2.0 / (double)(r.slow_period + 1);
    double cash = r.cash, fast = 0.0, slow = 0.0, previous = 0.0;
    double entry = 0.0, high = 0.0, activation = 0.0, target = 0.0, exit_floor = 0.0;
    int64_t quantity = 0, trades = 0, green = 0;
    int64_t midnight = INT64_MIN, next_midnight = INT64_MIN, open = 0, close = 0, entry_close = 0;

    if (count > 0)
        fast = slow = previous = price[0];
    for (int64_t i = 0; i < count; i++) {
        const double p = price[i];
        const int64_t t = time_ns[i];

        fast += fast_alpha * (p - fast);
        slow += slow_alpha * (p - slow);
        green = p > previous ? green + 1 : 0;
        previous = p;

        if (quantity) {
            if (p > high) {
                high = p;
                if (high >= activation && high - r.trail_distance_points + LEVEL_SLACK > exit_floor)
                    exit_floor = high - r.trail_distance_points + LEVEL_SLACK;
            }
            if (p <= exit_floor || p >= target || t >= entry_close) {
                const double turnover = p * (double)quantity;
                cash += turnover - turnover * r.fee_fraction;
                quantity = 0;
                trades++;
            }
        } else if (green >= r.green_ticks && fast > slow && i + 1 >= r.warmup_ticks) {
            if (t >= next_midnight) {
                midnight = t - (t + r.utc_offset_ns) % DAY_NS;
                next_midnight = midnight + DAY_NS;
                open = midnight + r.open_ns;
                close = midnight + r.close_ns;
            }
            if (t >= open && t < close) {
                quantity = (int64_t)(cash * r.cash_fraction / ((double)r.lot_size * p)) * r.lot_size;
                if (quantity) {
                    const double turnover = p * (double)quantity;
                    cash -= turnover + turnover * r.fee_fraction;
                    entry = high = p;
                    activation = p + r.trail_activation_points - LEVEL_SLACK;
                    target = p + r.target_points - LEVEL_SLACK;
                    exit_floor = p - r.stop_points + LEVEL_SLACK;
                    entry_close = close;
                }
            }
        }
    }
    *result = (struct reduced_result){.cash = cash, .fast = fast, .slow = slow, .open_entry = quantity ? entry : 0.0,
                                      .trades = trades, .open_quantity = quantity};
}
