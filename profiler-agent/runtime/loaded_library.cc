// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/loaded_library.h"

#include <elf.h>
#include <link.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"

namespace hanas {
namespace {

constexpr size_t kDigits = 16;

struct Search {
  absl::string_view prefix;
  std::string path;
  std::string build_id;  // raw bytes
};

/// The descriptor of the GNU build id note within a PT_NOTE segment.
std::string BuildId(const char* notes, size_t size) {
  constexpr size_t kHeader = sizeof(ElfW(Nhdr));
  size_t at = 0;
  while (at + kHeader <= size) {
    ElfW(Nhdr) header;
    std::memcpy(&header, notes + at, kHeader);
    const size_t name = at + kHeader;
    const size_t descriptor = name + (header.n_namesz + 3) / 4 * 4;
    const size_t next = descriptor + (header.n_descsz + 3) / 4 * 4;
    if (next > size) break;
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && std::memcmp(notes + name, "GNU", 4) == 0) {
      return std::string(notes + descriptor, header.n_descsz);
    }
    at = next;
  }
  return "";
}

int Visit(dl_phdr_info* info, size_t, void* data) {
  auto& search = *static_cast<Search*>(data);
  const std::string path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  if (!absl::StartsWith(std::filesystem::path(path).filename().string(), search.prefix)) return 0;
  search.path = path;
  for (int i = 0; i < info->dlpi_phnum && search.build_id.empty(); ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    search.build_id = BuildId(reinterpret_cast<const char*>(info->dlpi_addr + segment.p_vaddr), segment.p_memsz);
  }
  return 1;
}

std::string FileDigest(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return DigestBuilder().Add(bytes.str()).Build().ToHex();
}

}  // namespace

std::string LoadedLibrary(absl::string_view prefix) {
  Search search{.prefix = prefix};
  dl_iterate_phdr(&Visit, &search);
  if (search.path.empty()) return "";
  std::error_code ignored;
  const std::filesystem::path resolved = std::filesystem::canonical(search.path, ignored);
  const std::string name = (ignored ? std::filesystem::path(search.path) : resolved).filename().string();
  if (!search.build_id.empty()) return absl::StrCat(name, " build ", absl::BytesToHexString(search.build_id).substr(0, kDigits));
  return absl::StrCat(name, " file ", FileDigest(search.path).substr(0, kDigits));
}

}  // namespace hanas
