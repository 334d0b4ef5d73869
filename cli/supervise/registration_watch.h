// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_SUPERVISE_REGISTRATION_WATCH_H_
#define HANAS_CLI_SUPERVISE_REGISTRATION_WATCH_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hanas::cli {

/// Notices processes that live but never do what they were started for: a worker that does not register, a coordinator that does not
/// serve. Their log may say why; nobody else does. Time is counted between observations, of which a long break counts little: a machine
/// that was suspended, or a coordinator that could not be asked, is no fault of theirs.
///
/// Thread-compatible. Holds no clock.
class RegistrationWatch {
 public:
  struct Options {
    absl::Duration say_after = absl::Seconds(10);
    absl::Duration give_up_after = absl::Seconds(60);
    absl::Duration longest_step = absl::Seconds(2);  // that a time between two observations counts
  };
  enum class Verdict {
    kFine,     // it has registered, or there is still time
    kLate,     // to be said; once for each start
    kGivenUp,  // it will not come any more
  };

  explicit RegistrationWatch(const Options& options) : options_(options) {}
  RegistrationWatch() : RegistrationWatch(Options()) {}

  /// Whether the process, in its start number `start`, has yet to register.
  bool Awaits(absl::string_view name, int start) const;

  /// What to think of a process that runs. `registered`: it has since its start number `start`, after which it is no longer awaited.
  Verdict Observe(absl::string_view name, int start, bool registered, absl::Duration now);

 private:
  struct Awaited {
    int start = 0;
    bool registered = false;
    bool said = false;
    absl::Duration waited;
    absl::Duration last;
  };

  const Options options_;
  std::map<std::string, Awaited, std::less<>> processes_;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_SUPERVISE_REGISTRATION_WATCH_H_
