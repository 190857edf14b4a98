#pragma once

namespace gossamer::tools {

/// `gossamer info`: what this build is and knows, to stdout, as text or JSON. Returns the exit code.
int run_info(bool json);

}  // namespace gossamer::tools
