#pragma once

#include <span>
#include <string_view>

#include "topology/gossip_graph.hpp"

namespace gossamer {

/// Names of the rules that turn a graph into a mixing matrix. d_i is a vertex's degree, its own loop not counted:
///
///   auto         given weights if there are some; metropolis if undirected; uniform if directed and all degrees are
///                equal; otherwise out-uniform
///   metropolis   w_ij = 1 / (1 + max(d_i, d_j)): symmetric. Xiao, Boyd, Kim, J. Parallel Distrib. Comput. 67, 2007
///   uniform      w_ij = 1 / (1 + indegree_i): rows sum to 1
///   out-uniform  w_ij = 1 / (1 + outdegree_j): columns sum to 1, as push-sum wants
///   max-degree   w_ij = 1 / (1 + largest degree)
///   laplacian    I − 2 / (λ_max + λ_2) · L, the best of all constants: symmetric, its own weights may be negative.
///                Xiao, Boyd, Systems & Control Letters 53, 2004
///   lazy         (I + W) / 2, where auto would make W: no eigenvalue of a symmetric one is negative
///   given        those that come with the graph
std::span<const std::string_view> weight_rules() noexcept;

/// Throws `argument` for a name that is no rule.
void check_weight_rule(std::string_view rule);

/// Weighs the arcs. Throws `argument` where the rule does not fit: undirected ones for a directed graph, any but auto
/// and given for a graph of several rounds, given for a graph that has none.
void set_weights(GossipGraph& graph, std::string_view rule, std::string_view spec);

}  // namespace gossamer
