// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/supervisor.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "config/process/exit_code.h"

namespace hanas::cli {

std::string Describe(const ChildExit& exit) {
  if (exit.signal != 0) return absl::StrCat("was killed by signal ", exit.signal, " (", strsignal(exit.signal), ")");
  std::string text = absl::StrCat("exited with status ", exit.code);
  for (const config::ProcessExitRow& row : config::kProcessExits) {
    if (static_cast<int>(row.code) == exit.code) absl::StrAppend(&text, " (", row.meaning, ")");
  }
  return text;
}

bool IsPermanent(const ChildExit& exit) {
  const auto* const row = std::find_if(config::kProcessExits.begin(), config::kProcessExits.end(),
                                       [&](const config::ProcessExitRow& each) { return static_cast<int>(each.code) == exit.code; });
  return exit.signal == 0 && row != config::kProcessExits.end() && !row->restart_helps;
}

void Supervisor::Add(ChildSpec spec) {
  Child child;
  child.spec = std::move(spec);
  child.due = -absl::InfiniteDuration();
  children_.push_back(std::move(child));
}

void Supervisor::SetCommand(absl::string_view name, std::vector<std::string> command) {
  for (Child& child : children_) {
    if (child.spec.name == name) child.spec.command = std::move(command);
  }
}

absl::Duration Supervisor::Backoff(int failures) const {
  absl::Duration wait = options_.initial_backoff;
  for (int i = 1; i < failures && wait < options_.max_backoff; ++i) wait *= 2;
  return std::min(wait, options_.max_backoff);
}

void Supervisor::Failed(Child& child, absl::Duration now) {
  child.pid = 0;
  ++child.failures;
  if ((child.last_exit && IsPermanent(*child.last_exit)) || child.failures >= options_.max_failures) {
    child.state = State::kGivenUp;
  } else {
    child.state = State::kWaiting;
    child.due = now + Backoff(child.failures);
  }
}

void Supervisor::Collect(Child& child, absl::Duration now) {
  const std::optional<ChildExit> exit = spawner_->Poll(child.pid);
  if (!exit) {
    if (now - child.started >= options_.stable_after) child.failures = 0;
    return;
  }
  child.last_exit = exit;
  if (child.stopping) {
    child.pid = 0;
    child.state = State::kStopped;
    return;
  }
  if (now - child.started >= options_.stable_after) child.failures = 0;
  Failed(child, now);
}

void Supervisor::Start(Child& child, absl::Duration now) {
  const absl::StatusOr<pid_t> pid = spawner_->Spawn(child.spec);
  ++child.starts;
  child.spawn_error = pid.status();
  if (!pid.ok()) {
    child.last_exit.reset();
    return Failed(child, now);
  }
  child.pid = *pid;
  child.started = now;
  child.state = State::kRunning;
}

absl::Status Supervisor::Tick(absl::Duration now) {
  for (Child& child : children_) {
    if (child.state == State::kRunning) Collect(child, now);
    if (child.state == State::kWaiting && !child.stopping && now >= child.due) Start(child, now);
  }
  for (const Child& child : children_) {
    if (child.state != State::kGivenUp) continue;
    const std::string how = child.last_exit ? Describe(*child.last_exit) : std::string(child.spawn_error.message());
    const std::string what = child.last_exit && IsPermanent(*child.last_exit)
                                 ? "cannot go on: it "
                                 : absl::StrCat("keeps failing (", child.failures, " in a row): it ");
    return absl::AbortedError(absl::StrCat(child.spec.name, " ", what, how, "; its log is ", child.spec.log_file));
  }
  return absl::OkStatus();
}

void Supervisor::Stop(int signal, absl::string_view except) {
  for (Child& child : children_) {
    if (child.spec.name == except) continue;
    child.stopping = true;
    if (child.state == State::kRunning) {
      spawner_->Signal(child.pid, signal);
    } else if (child.state == State::kWaiting) {
      child.state = State::kStopped;
    }
  }
}

bool Supervisor::AllStopped(absl::string_view except) const {
  return std::none_of(children_.begin(), children_.end(), [&](const Child& child) {
    return child.spec.name != except && (child.state == State::kRunning || child.state == State::kWaiting);
  });
}

int Supervisor::total_starts() const {
  int starts = 0;
  for (const Child& child : children_) starts += child.starts;
  return starts;
}

}  // namespace hanas::cli
