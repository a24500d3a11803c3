// Attention on the tensor cores of sm_80 and of sm_90: agrees with the reference within what rounding
// P to bf16 may change, and with the plain form in everything else that the contract says.

#include <numeric>

#include "kernels/attention/attention.h"
#include "kernels/simt/grid.h"
#include "tests/kernels/attention/attention_case.h"
#include "tests/support/doctest.h"

namespace {

struct Heads {
    int heads, kv_heads, dim;
};
constexpr Heads kHeads[] = {{2, 1, 64}, {4, 4, 64}, {2, 2, 128}, {3, 1, 128}};

// Runs attention in one form.
struct RunAs {
    AttentionForm form;

    template <typename T>
    void operator()(AttentionForward<T> args) const {
        args.form = form;
        attention_forward(args, test_stream());
    }
};

struct TensorForm {
    const char* name;
    RunAs run;
    int keys;  // of a tile
};
constexpr TensorForm kForms[] = {{"sm80", {AttentionForm::sm80}, 64},
                                 {"sm90", {AttentionForm::sm90}, 128}};

std::vector<TensorForm> forms_here() {
    std::vector<TensorForm> forms;
    for (const TensorForm& form : kForms)
        if (device_has(form.run.form, tested_device())) forms.push_back(form);
    return forms;
}

double largest_norm(const std::vector<double>& rows, int dim) {
    double largest = 0.0;
    for (size_t i = 0; i < rows.size(); i += dim)
        largest = std::max(largest, std::inner_product(&rows[i], &rows[i] + dim, &rows[i], 0.0));
    return std::sqrt(largest);
}

// A float sum of D products is off by at most D 2^-24 sum |q k| <= D 2^-24 |q| |k|; so is a score, in
// units of log P, against which exp2 and the few other operations are small: 2^-20.
double score_error(const AttentionCase<double>& c, const AttentionShape& shape) {
    const double scale = shape.scale > 0.0 ? shape.scale : 1.0 / std::sqrt(shape.dim);
    return 0x1p-20 + shape.dim * 0x1p-24 * scale * largest_norm(c.q, shape.dim) *
                         largest_norm(c.k, shape.dim);
}

// Rounding to bf16 changes a number by at most 2^-8 of it. So what the sums give is within
// (2^-8 + 2 e) sum_j P |v| of the exact value, e the error of a score; out is that rounded, and
// out + out_rest is that but for the rounding of a rest of at most 2^-8.
void check_forward(const TensorForm& form, const AttentionShape& shape,
                   const AttentionCase<bf16>& c) {
    CAPTURE(form.name);
    CAPTURE(shape.dim);
    const auto actual = c.forward(tested_device(), form.run);
    AttentionCase<double> exact_case = c.template as<double>();
    const auto exact = exact_case.forward(Device::cpu, kOracleForward);
    const double error = score_error(exact_case, shape);
    for (double& v : exact_case.v) v = std::fabs(v);
    const auto spread = exact_case.forward(Device::cpu, kOracleForward).out;
    const int width = shape.heads * shape.dim, stride = width + shape.padding;
    int beyond = 0, beyond_with_rest = 0;
    for (size_t i = 0; i < exact.out.size(); ++i) {
        if (int(i % stride) >= width) continue;  // padding
        const double sum_error = (0x1p-8 + 2 * error) * spread[i];
        const double largest = std::fabs(exact.out[i]) + sum_error;
        const double out = double(actual.out[i]), with_rest = out + double(actual.out_rest[i]);
        beyond += !(std::fabs(out - exact.out[i]) <= sum_error + 0x1p-8 * largest);
        beyond_with_rest += !(std::fabs(with_rest - exact.out[i]) <= sum_error + 0x1p-16 * largest);
    }
    CHECK(beyond == 0);
    CHECK(beyond_with_rest == 0);
    CHECK(max_relative_error(actual.lse, exact.lse) <= 2 * error);
}
void check_forward(const TensorForm& form, const AttentionShape& shape) {
    check_forward(form, shape, AttentionCase<bf16>(shape));
}

// Both forms, one after the other, on arguments that `change` changed.
template <typename Change>
bool runs_plain(const TensorForm& form, const AttentionCase<bf16>& c, const Change& change) {
    const auto changed = [&](const auto& run) {
        return [&](auto args) {
            change(args);
            run(args);
        };
    };
    const auto plain = c.forward(tested_device(), changed(kRunForward));
    const auto other = c.forward(tested_device(), changed(form.run));
    return same_bits(plain.out, other.out) && same_bits(plain.lse, other.lse);
}

}  // namespace

TEST_CASE("attention_forward on tensor cores: agrees with the reference") {
    for (const TensorForm& form : forms_here()) {
        for (const auto& [heads, kv_heads, dim] : kHeads)
            check_forward(form, {.lengths = {1, 31, 33, 0, 63, 64, 65, 128, 130},
                                 .heads = heads,
                                 .kv_heads = kv_heads,
                                 .dim = dim});
    }
}

TEST_CASE("attention_forward on tensor cores: a long row agrees with the reference") {
    for (const TensorForm& form : forms_here()) {
        check_forward(form, {.lengths = {257}, .heads = 2, .kv_heads = 1, .dim = 64});
        check_forward(form, {.lengths = {257}, .heads = 1, .kv_heads = 1, .dim = 128});
        if (!every_access_is_judged())
            check_forward(form, {.lengths = {1024}, .heads = 3, .kv_heads = 1, .dim = 64});
    }
}

TEST_CASE("attention_forward on tensor cores: a block may have several tiles of queries") {
    for (const TensorForm& form : forms_here()) {
        // So many rows that each head of one has a single block; all but one are empty.
        std::vector<int32_t> lengths(512, 0);
        lengths[300] = 270;
        check_forward(form, {.lengths = lengths, .heads = 1, .kv_heads = 1, .dim = 64});
    }
}

TEST_CASE("attention_forward on tensor cores: queries see their row's cache") {
    for (const TensorForm& form : forms_here()) {
        for (const int dim : {64, 128})
            check_forward(form, {.lengths = {1, 1, 3, 64, 7, 0, 2},
                                 .history = {0, 130, 63, 1, 64, 5, 62},
                                 .heads = 4,
                                 .kv_heads = 2,
                                 .dim = dim});
    }
}

TEST_CASE("attention_forward on tensor cores: rows may lie apart, and what is between them stays") {
    for (const TensorForm& form : forms_here()) {
        const AttentionShape shape{
            .lengths = {5, 70}, .heads = 4, .kv_heads = 2, .dim = 64, .padding = 8};
        const AttentionCase<bf16> c(shape);
        const auto actual = c.forward(tested_device(), form.run);
        check_forward(form, shape, c);
        for (int token = 0; token < 75; ++token)
            for (int d = 4 * 64; d < 4 * 64 + 8; ++d)
                CHECK(float(actual.out[token * (4 * 64 + 8) + d]) == 0.5f);
    }
}

TEST_CASE("attention_forward on tensor cores: large scores lose nothing") {
    for (const TensorForm& form : forms_here()) {
        const AttentionShape shape{
            .lengths = {64, 130}, .heads = 2, .kv_heads = 1, .dim = 64, .scale = 4.0};
        AttentionCase<bf16> c(shape);
        // Whole numbers: scores up to some thousands that are exact in float, and far from each other.
        for (bf16& x : c.q) x = bf16(std::round(4.0f * float(x)));
        for (bf16& x : c.k) x = bf16(std::round(4.0f * float(x)));
        check_forward(form, shape, c);
        const auto lse = c.forward(tested_device(), form.run).lse;
        CHECK(*std::max_element(lse.begin(), lse.end()) > 1e3f);
    }
}

TEST_CASE("attention_forward on tensor cores: equal scores average the values seen so far") {
    for (const TensorForm& form : forms_here()) {
        AttentionCase<bf16> c(
            {.lengths = {130}, .heads = 1, .kv_heads = 1, .dim = 64, .scale = 1.0});
        std::fill(c.q.begin(), c.q.end(), bf16(0.0f));
        std::fill(c.v.begin(), c.v.end(), bf16(3.0f));
        const auto result = c.forward(tested_device(), form.run);  // every P is 1, exact in bf16
        for (const bf16 out : result.out) CHECK(std::fabs(float(out) - 3.0f) <= 3.0 * 0x1p-8);
        for (int i = 0; i < 130; ++i)
            CHECK(std::fabs(result.lse[i] - std::log(double(i + 1))) <= 1e-6);
    }
}

TEST_CASE(
    "attention_forward on tensor cores: queries before the first key are zero, with weight zero") {
    for (const TensorForm& form : forms_here()) {
        for (const int keys : {1, 4, 70}) {
            CAPTURE(keys);
            const AttentionCase<bf16> c(
                {.lengths = {135}, .history = {keys - 135}, .heads = 1, .kv_heads = 1, .dim = 64});
            AttentionCase<bf16> last({.lengths = {keys}, .heads = 1, .kv_heads = 1, .dim = 64});
            last.q.assign(c.q.end() - keys * 64, c.q.end());
            last.k = c.k;
            last.v = c.v;
            const auto actual = c.forward(tested_device(), form.run);
            const auto expected = last.forward(Device::cpu, kOracleForward);
            for (int token = 0; token < 135 - keys; ++token) {
                for (int d = 0; d < 64; ++d) CHECK(actual.out[token * 64 + d].bits == 0);
                CHECK(actual.lse[token] == -INFINITY);
            }
            // 64 2^-24 |q| |k| / 8, both no longer than 12
            for (int token = 135 - keys; token < 135; ++token)
                CHECK(std::fabs(actual.lse[token] - expected.lse[token - 135 + keys]) <= 1e-4);
        }
    }
}

TEST_CASE("attention_forward on tensor cores: a row without keys is zero, with weight zero") {
    for (const TensorForm& form : forms_here()) {
        const AttentionCase<bf16> c({.lengths = {3, 2, 130},
                                     .history = {-3, 0, -130},
                                     .heads = 2,
                                     .kv_heads = 1,
                                     .dim = 64});
        const auto actual = c.forward(tested_device(), form.run);
        for (int i = 0; i < 135 * 2; ++i) {
            const bool sees = i / 2 >= 3 && i / 2 < 5;
            CHECK(std::isfinite(actual.lse[i]) == sees);
            for (int d = 0; d < 64; ++d) CHECK((actual.out[i * 64 + d].bits != 0) == sees);
        }
    }
}

TEST_CASE("attention_forward on tensor cores: no query sees a later key") {
    for (const TensorForm& form : forms_here()) {
        const AttentionCase<bf16> c({.lengths = {70, 130}, .heads = 2, .kv_heads = 1, .dim = 64});
        const auto before = c.forward(tested_device(), form.run);
        for (const int now : {0, 31, 63, 64, 69}) {  // the last token of each row that stays
            CAPTURE(now);
            AttentionCase<bf16> changed = c;
            const auto kept = [&](int token) { return (token < 70 ? token : token - 70) <= now; };
            for (int token = 0; token < 200; ++token) {
                if (kept(token)) continue;
                for (int d = 0; d < 64; ++d) {
                    changed.k[token * 64 + d] = bf16(d == 7 ? NAN : 1e4f * float(d - 31));
                    changed.v[token * 64 + d] = bf16(-1e30f);
                }
            }
            const auto after = changed.forward(tested_device(), form.run);
            for (int token = 0; token < 200; ++token) {
                if (!kept(token)) continue;
                CHECK(!std::memcmp(&after.out[token * 128], &before.out[token * 128], 256));
                CHECK(!std::memcmp(&after.lse[token * 2], &before.lse[token * 2], 8));
            }
            CHECK(!same_bits(after.out, before.out) == (now < 129));
        }
    }
}

TEST_CASE("attention_forward on tensor cores: what is not a number does not vanish") {
    for (const TensorForm& form : forms_here()) {
        for (const float value : {NAN, INFINITY}) {
            const int length = 2 * form.keys + 2, at = form.keys + 2;
            AttentionCase<bf16> c({.lengths = {length}, .heads = 1, .kv_heads = 1, .dim = 64});
            for (int d = 0; d < 64; ++d) c.k[at * 64 + d] = c.v[at * 64 + d] = bf16(value);
            const auto out = c.forward(tested_device(), form.run).out;
            for (int token = 0; token < form.keys; ++token)
                CHECK(std::isfinite(float(out[token * 64])));
            for (int token = at; token < length; ++token)
                CHECK(!std::isfinite(float(out[token * 64])));
        }
    }
}

TEST_CASE(
    "attention_forward on tensor cores: warps leave out tiles that none of their queries see") {
    for (const TensorForm& form : forms_here()) {
        // The last keys are seen by the last queries; the first ones see no more than one tile.
        for (const int history : {form.keys / 2, form.keys / 2 - 7}) {
            AttentionCase<bf16> c({.lengths = {form.keys},
                                   .history = {history},
                                   .heads = 1,
                                   .kv_heads = 1,
                                   .dim = 64});
            for (int i = (form.keys + history - 1) * 64; i < (form.keys + history) * 64; ++i)
                c.k[i] = c.v[i] = bf16(NAN);
            const auto out = c.forward(tested_device(), form.run).out;
            for (int token = 0; token < form.keys / 2; ++token)
                for (int d = 0; d < 64; ++d) CHECK(std::isfinite(float(out[token * 64 + d])));
            CHECK(std::isnan(float(out[(form.keys - 1) * 64])));
        }
    }
}

TEST_CASE("attention_forward on tensor cores: what a cache holds behind a row's keys is not seen") {
    for (const TensorForm& form : forms_here()) {
        // Each row of the cache has room for 150 keys; rows lie in the reverse order.
        AttentionCase<bf16> c({.lengths = {2, 1, 3, 1},
                               .history = {148, 0, 60, 126},
                               .heads = 2,
                               .kv_heads = 1,
                               .dim = 128});
        const auto before = c.forward(tested_device(), form.run);
        for (const auto& [row, keys] : {std::pair{2, 1}, std::pair{1, 63}, std::pair{0, 127}})
            for (int i = (150 * row + keys) * 128; i < 150 * (row + 1) * 128; ++i)
                c.k[i] = c.v[i] = bf16(NAN);
        const auto after = c.forward(tested_device(), form.run);
        CHECK(same_bits(after.out, before.out));
        CHECK(same_bits(after.lse, before.lse));
        CHECK(std::all_of(after.lse.begin(), after.lse.end(), [](float x) { return x < 100.0f; }));
    }
}

TEST_CASE(
    "attention_forward on tensor cores: the order of threads, blocks and copies changes no bit") {
    for (const TensorForm& form : forms_here()) {
        for (const int dim : {64, 128}) {
            const AttentionCase<bf16> c(
                {.lengths = {1, 33, 130}, .heads = 4, .kv_heads = 2, .dim = dim});
            const uint32_t seed_before = simt::schedule_seed();
            const auto first = c.forward(tested_device(), form.run);
            for (const uint32_t seed : {0, 1, 2, 3}) {
                simt::set_schedule_seed(seed);  // of the simt device; elsewhere a second run
                const auto again = c.forward(tested_device(), form.run);
                simt::set_schedule_seed(seed_before);
                CHECK(same_bits(again.out, first.out));
                CHECK(same_bits(again.out_rest, first.out_rest));
                CHECK(same_bits(again.lse, first.lse));
            }
        }
    }
}

TEST_CASE("attention_forward on tensor cores: what does not fit runs the plain form") {
    for (const TensorForm& form : forms_here()) {
        const auto as_is = [](auto&) {};
        AttentionShape shape{
            .lengths = {5, 70}, .heads = 2, .kv_heads = 1, .dim = 64, .padding = 8};
        const AttentionCase<bf16> fits(shape);
        CHECK(!runs_plain(form, fits, as_is));
        CHECK(runs_plain(form, fits, [](auto& args) { args.scale = -0.5; }));
        CHECK(runs_plain(form, fits, [](auto& args) { args.scale = 0.0; }));
        CHECK(runs_plain(form, fits, [](auto& args) { args.q += 4; }));  // 8 bytes
        CHECK(runs_plain(form, fits, [](auto& args) { args.k += 4; }));
        CHECK(runs_plain(form, fits, [](auto& args) { args.v += 4; }));
        const bool needs_maps = form.run.form == AttentionForm::sm90;
        CHECK(runs_plain(form, fits, [](auto& args) { args.query_tokens = 0; }) == needs_maps);
        CHECK(runs_plain(form, fits, [](auto& args) { args.key_tokens = 0; }) == needs_maps);
        shape.padding = 4;
        CHECK(runs_plain(form, AttentionCase<bf16>(shape), as_is));
        shape.padding = 0, shape.dim = 32;
        CHECK(runs_plain(form, AttentionCase<bf16>(shape), as_is));
    }
}
