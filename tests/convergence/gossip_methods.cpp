#include "tests/convergence/gossip_methods.hpp"

namespace gossamer::convergence {
namespace {

constexpr Margins kShown{};
// As in methods.cpp, the means of three seeds of equally good models differ by 0.43 points (one standard deviation): 1
// point is no loss. Where ranks are not alike in the end, the worst of eight may be one more below.
constexpr Margins kNoLoss{.mean = 1, .worst = 1, .sorted = 3};
constexpr Margins kEightBits{.mean = 1, .worst = 2, .sorted = 4, .lead = 1};
constexpr Margins kSparse{.mean = 1, .worst = 2, .lead = 1};
// A difference between neighbours on a ring of eight lasts for 1/(γ gap) rounds, gap = 0.2: 50 of the 220 with γ = 0.1,
// 125 with γ = 0.04. The models hardly are one.
constexpr Margins kSlow{.mean = 2, .worst = 3, .lead = 20};
constexpr Margins kSlowest{.mean = 3, .worst = 5, .lead = 20};

constexpr GossipMethod kMethods[] = {
    {kAllReduce, "ring", "identity", {.mean = 0, .worst = 0}, "what others are compared with"},
    {kAllReduce, "ring", "topk:ratio=0.1", {.mean = 1, .worst = 1, .sorted = 1, .lead = 1}, "EF: no loss"},
    {kAllReduce, "ring", "topk:ratio=0.01", {.mean = 1, .worst = 1, .sorted = 1, .lead = 20}, "EF: no loss"},
    {kAlone, "ring", "identity", kShown, "without any exchange"},
    {"average", "ring", "identity", kNoLoss, "the rate of SGD (Lian et al.)"},
    {"average", "exponential", "identity", kNoLoss, "the rate of SGD, sooner (Ying et al.)"},
    {"average", "base:k=1", "identity", kNoLoss, "exact after six rounds (Takezawa et al.)"},
    {"push-sum", kUneven, "identity", kNoLoss, "the rate of SGD (Assran et al.)"},
    {kPush, kUneven, "identity", kShown, "how often it exchanges is the scheduler's affair"},
    {"push, pull staleness=1", kUneven, "identity", kShown, "the same, though nobody is far ahead"},
    {"push, pull mixing=pairwise", "ring", "identity", kShown, "the same"},
    {"mean every=4", "ring", "identity", {.mean = 1, .worst = 1}, "local steps: the rate of SGD (Stich)"},
    {"mean every=20 outer=nesterov", "ring", "identity", kShown, "a step for twenty"},
    {"choco", "ring", "int8", kEightBits, "a contraction of nearly 1: as average"},
    {"choco", "ring", "efsign", kSparse, "the rate of SGD (Koloskova et al.)"},
    {"choco:gamma=0.5", "ring", "efsign", kSparse, "the rate of SGD, sooner"},
    {"choco", "ring", "topk:ratio=0.3", kSparse, "the rate of SGD (Koloskova et al.)"},
    {"choco", "ring", "topk:ratio=0.1", kSparse, "the rate of SGD (Koloskova et al.)"},
    {"choco", "ring", "topk:ratio=0.03", kSlow, "in the long run the rate of SGD; these are 4 times 1/(gamma gap)"},
    {"choco", "ring", "topk:ratio=0.01", kSlowest, "these are twice 1/(gamma gap)"},
    {"choco", "exponential", "topk:ratio=0.1", kSparse, "the rate of SGD, sooner"},
    {"choco", "exponential", "topk:ratio=0.01", kSlowest, "half the time of the ring"},
    {"choco-push-sum", kUneven, "topk:ratio=0.1", kSparse, "the rate of SGD (Taheri et al.)"},
    {"moniqua", "ring", "identity", kEightBits, "8 bits of a difference below 1 (Lu and De Sa)"},
    {"moniqua:theta=0.5", "ring", "identity", kSparse, "the same, and too small for ranks that are not alike"},
    {"deepsqueeze", "ring", "int8", kEightBits, "the rate of SGD (Tang et al.)"},
    {"deepsqueeze", "ring", "topk:ratio=0.1", kShown, "models do not become zero as differences do"},
    {"dcd", "ring", "int8", kEightBits, "8 bits are enough (Tang et al.)"},
    {"ecd", "ring", "qsgd:bits=8", kEightBits, "8 bits are enough (Tang et al.)"},
};

}  // namespace

std::span<const GossipMethod> gossip_methods() noexcept {
  return kMethods;
}

}  // namespace gossamer::convergence
