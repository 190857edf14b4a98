#include "tests/convergence/methods.hpp"

#include "lib/base/error.hpp"

namespace gossamer::convergence {
namespace {

constexpr Momentum kNone = Momentum::none;
constexpr Momentum kOptimiser = Momentum::optimiser;
constexpr Momentum kCodec = Momentum::codec;

// The test set has 359 images, so that an image is 0.28 points. Two models of the same quality that disagree about 2 %
// of the images differ by 0.75 points (one standard deviation), the means of three by 0.43. What claims no loss may
// lose 1 point, which chance alone exceeds in one of a hundred trainings; what hardly rounds, so that it trains nearly
// the dense model, half of that.
constexpr double kRounds = 0.5;
constexpr double kNoLoss = 1;
constexpr double kSomeLoss = 2;
// What shows on every seed.
constexpr double kOneImage = 0.27;

constexpr Method kMethods[] = {
    {"identity", kOptimiser, 1, 0, "what others with momentum are compared with"},
    {"identity", kNone, 1, 0, "what others without momentum are compared with"},
    {"fp16", kOptimiser, 1, kRounds, "11 bits of precision"},
    {"bf16", kOptimiser, 1, kRounds, "8 bits of precision"},
    {"fp8", kOptimiser, 1, kRounds, "4 bits of precision and EF"},
    {"int8", kOptimiser, 1, kRounds, "127 levels a block and EF"},
    {"dettmers8", kOptimiser, 1, kRounds, "8 bits, no loss (Dettmers), and EF"},
    {"inceptionn", kOptimiser, 1, kRounds, "below a thousandth is zero: no loss (Li et al.)"},
    {"natural", kOptimiser, 1, kRounds, "unbiased, 1/8 of the energy is noise"},
    {"efsign", kNone, 1, kNoLoss, "with EF the rate of SGD (Karimireddy et al.)"},
    {"efsign:ef=off", kNone, 1, kNotJudged, "biased: shown beside EF"},
    {"onebit", kNone, 1, kNoLoss, "with EF no loss (Seide et al.)"},
    {"onebit:ef=off", kNone, 1, kNotJudged, "biased: shown beside EF"},
    {"3lc", kNone, 1, kNoLoss, "with EF no loss (Lim et al.)"},
    {"3lc:sparsity=1.75,reduce=allgather", kNone, 1, kNoLoss, "with EF no loss (Lim et al.)"},
    {"3lc:sparsity=1.5", kNone, 1, kNotJudged, "a sent value is up to 1.5 times as large, once more at every hop"},
    {"terngrad", kOptimiser, 1, kSomeLoss, "less than 2 % on average (Wen et al.)"},
    {"qsgd", kOptimiser, 1, kNoLoss, "4 bits: full accuracy (Alistarh et al.)"},
    {"natural_dithering", kOptimiser, 1, kNoLoss, "unbiased, variance of 1/8 and a little"},
    {"lpc", kOptimiser, 1, kNoLoss, "unbiased within its lattice"},
    {"thc", kOptimiser, 1, kNoLoss, "full accuracy with EF (Li et al.)"},
    {"signsgd", kNone, 0.02, kSomeLoss, "all steps as long as the rate says: stops at a distance"},
    {"signsgd", kNone, 0.02, kSomeLoss + kNoLoss,
     "a minority cannot turn the vote, but makes it noisier (Bernstein et al.)", 1},
    {"signum", kCodec, 0.1, kSomeLoss, "as signsgd"},
    {"topk:ratio=0.01", kNone, 1, kNoLoss, "with EF the rate of SGD (Stich et al.)"},
    {"topk:ratio=0.01,ef=off", kNone, 1, kNotJudged, "biased: shown beside EF"},
    {"threshold:v=0.01", kNone, 1, kNoLoss, "no residual above 0.01"},
    {"aji:ratio=0.01", kNone, 1, kNoLoss, "as topk"},
    {"dgc:ratio=0.01,warmup=60", kCodec, 4, kNoLoss, "no loss (Lin et al.), at a rate that makes up for masking"},
    {"dgc:ratio=0.01,warmup=60", kCodec, 1, kNotJudged, "masking ends the momentum of what is sent often"},
    {"sgc:ratio=0.01", kNone, 4, kNoLoss, "a gradient that waits decays: needs a higher rate"},
    {"variance", kNone, 1, kNoLoss, "sends what is sure; no loss (Tsuzuku et al.)"},
    {"variance:alpha=4", kNone, 1, kNoLoss, "the same, later"},
    {"stc:ratio=0.01", kNone, 1, kNoLoss, "as topk"},
    {"stc", kNone, 1, kNotJudged, "10 entries of 4608: error feedback is late for 220 steps"},
    {"qsparse:ratio=0.01", kNone, 1, kNoLoss, "as topk"},
    {"wangni:ratio=0.1", kNone, 1, kNoLoss, "unbiased"},
    {"gtopk:ratio=0.01", kNone, 1, kNoLoss, "as topk (Shi et al.)"},
    {"oktopk:ratio=0.01", kNone, 1, kNoLoss, "as topk (Li and Hoefler)"},
    {"strom:tau=0.01", kNone, 1, kNoLoss, "no residual grows for long"},
    {"dryden:ratio=0.01", kNone, 1, kNoLoss, "as topk"},
    {"randomk:ratio=0.1", kNone, 1, kNoLoss, "EF sends an entry ten steps late on average"},
    {"randomk:ratio=0.01", kNone, 1, kNotJudged, "a hundred of 220 steps late"},
    {"randomk:ratio=0.01,ef=off", kNone, 1, kNotJudged, "a hundredth of every gradient: shown beside topk"},
    {"randomblock:ratio=0.1", kNone, 1, kNoLoss, "as randomk"},
    {"sketch:k=60,columns=120", kNone, 1, kNoLoss, "top-k of the sum, noisily found"},
    {"sketch", kNone, 1, kNotJudged, "6 of 6144 entries: made for millions"},
    {"sketchml:ratio=0.01", kNone, 1, kNoLoss, "as topk, with smaller values; EF"},
    {"powersgd:rank=2", kOptimiser, 1, kNoLoss, "rank 2: as SGD (Vogels et al.)"},
    {"powersgd:rank=2,ef=off", kOptimiser, 1, kNotJudged, "biased: shown beside EF"},
    {"lowrank:rank=2", kNone, 1, kNoLoss, "as powersgd"},
    {"gradzip:rank=2", kOptimiser, 1, kNoLoss, "as powersgd"},
    {"gradiveq:refresh=20", kOptimiser, 1, kNoLoss, "a basis of the last tenth of the training"},
    {"gradiveq", kOptimiser, 1, kNotJudged, "three bases in 220 steps; the paper's last hundreds of tens of thousands"},
    {"atomo:budget=0.1", kNone, 1, kNoLoss, "unbiased"},
    {"atomo:budget=0.1,basis=svd", kNone, 1, kNoLoss, "unbiased"},
};

constexpr Order kOrders[] = {
    {"efsign:ef=off", "efsign", kOneImage, "EF makes up for the bias of signs"},
    {"onebit:ef=off", "onebit", kOneImage, "EF makes up for the bias of signs"},
    {"topk:ratio=0.01,ef=off", "topk:ratio=0.01", kOneImage, "EF sends later what top-k drops now"},
    {"powersgd:rank=2,ef=off", "powersgd:rank=2", kOneImage, "EF sends later what lies outside the subspace"},
    {"randomk:ratio=0.01,ef=off", "randomk:ratio=0.01", kOneImage, "EF sends later what is not chosen now"},
    {"randomk:ratio=0.01", "topk:ratio=0.01", kOneImage, "the largest entries hold more than their share"},
    {"randomk:ratio=0.01,ef=off", "topk:ratio=0.01,ef=off", kSomeLoss, "random-k takes a hundredth of every step"},
};

}  // namespace

std::string Method::label() const {
  return inverted == 0 ? std::string(spec) : sentence(spec, ", ", inverted, " of ", kRanks, " ranks inverted");
}

std::span<const Method> methods() noexcept {
  return kMethods;
}

std::span<const Order> orders() noexcept {
  return kOrders;
}

}  // namespace gossamer::convergence
