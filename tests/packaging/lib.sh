# shellcheck shell=bash disable=SC2034
# What the scripts beside this one share.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=${PACKAGING_FOLDER:-$PWD/target/test-packaging}
target=$(rustc --print host-tuple)
files=target/release-files
mkdir -p "$work"

say() { printf '\n-- %s\n' "$*"; }
figure() { printf 'FIGURE %-48s %s\n' "$1" "$2" | tee -a "$work/figures.txt"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# wait_for WHAT SECONDS COMMAND…: until it succeeds.
wait_for() {
  local what=$1 until=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || fail "$what: not in time"
    sleep 0.2
  done
}

# holds TEXT COMMAND…: what it prints contains the text.
holds() {
  local text=$1 said
  shift
  said=$("$@" 2>&1) || true
  case $said in *"$text"*) ;; *) return 1 ;; esac
}
must_hold() { holds "$@" || fail "\"$1\" is missing in: ${*:2}"$'\n'"$("${@:2}" 2>&1 | tail -n 20)"; }

# A system of its own: Debian's smallest, with what the checks need.
clean_root() {
  local root=$1 base="$work/base"
  if [ ! -e "$base/.complete" ]; then
    rm -rf "$base"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,curl,procps,python3 \
      bookworm "$base" >"$work/debootstrap.log" 2>&1 || fail "debootstrap: see $work/debootstrap.log"
    touch "$base/.complete"
  fi
  rm -rf "$root"
  cp -a "$base" "$root"
}

# Boots a root with a network of its own, in which there is nothing but loopback.
boot() {
  local root=$1
  systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --private-network --console=pipe \
    --machine="packaging-$$" >"$work/boot.log" 2>&1 </dev/null &
  nspawn=$!
  wait_for "the machine has a process 1" 20 find_leader
  wait_for "the machine has booted" 60 in_machine systemctl is-system-running
}
find_leader() { leader=$(pgrep -P "$nspawn") && [ -n "$leader" ]; }
in_machine() { nsenter --target "$leader" --all "$@"; }
shut_down() {
  [ -n "${nspawn-}" ] || return 0
  # The machine's process 1 outlives the program that made it, and takes all others with it.
  [ -z "${leader-}" ] || kill -KILL "$leader" 2>/dev/null || true
  kill -KILL "$nspawn" 2>/dev/null || true
  wait "$nspawn" 2>/dev/null || true
  nspawn=
}

# The simulated AWS as a static program, which runs in any root; AWS_SIM is one that is there already.
simulated_aws() {
  [ -z "${AWS_SIM-}" ] || { echo "$AWS_SIM"; return; }
  RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --locked --target "$target" -p aws-sim --bin aws-sim
  echo "target/$target/debug/aws-sim"
}
account=111111111111
scenario() {
  cat <<YAML
accounts:
  - id: "$account"
    root: {password: true, devices: [GAHT12345678]}
credentials: {AKIASIMULATEDEXAMPLE: "$account"}
YAML
}
passed="aws_mfa_control_status{account_id=\"$account\",control=\"IAM.9\",status=\"passed\"} 1"
