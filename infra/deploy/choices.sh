# shellcheck shell=bash
# Read by bootstrap.sh, restore.sh and preflight.sh: what an operator chose once stands beside
# Terraform's state, so that a build that is told nothing does the same as the last one.
# Needs PROJECT, and `stop` (what went wrong, what to do).

CHOICES=(REGION ENVIRONMENT PROFILE DOMAIN DATABASE)

state_bucket() {
  printf 'gs://%s-distrise-state' "$PROJECT"
}

# The object as it stands, lines of NAME=value; nothing where there is none yet.
read_choices() {
  local listed text
  listed=$(gcloud storage ls "$(state_bucket)") ||
    stop "The bucket $(state_bucket) cannot be read." 'Are you allowed to see it?'
  grep -qxF "$(state_bucket)/choices" <<<"$listed" || return 0
  text=$(gcloud storage cat "$(state_bucket)/choices") ||
    stop "$(state_bucket)/choices cannot be read." 'Are you allowed to see it?'
  # The scripts take it in as it is.
  ! grep -qvE '^[A-Z]+=[a-z0-9._-]*$' <<<"$text" ||
    stop "$(state_bucket)/choices has a line that is none of: ${CHOICES[*]}." \
      'Earlier versions of it are there (gcloud storage ls --all-versions).'
  printf '%s\n' "$text"
}

# One of them: choice NAME <choices
choice() {
  sed -n "s/^$1=//p"
}

# Writes what it reads into the state bucket: put NAME <text. Through a file: a gcloud that ends
# before it has read a pipe would end the script as well.
put() {
  local file ended=0
  file=$(mktemp)
  cat >"$file"
  gcloud storage cp "$file" "$(state_bucket)/$1" --quiet || ended=$?
  rm -f "$file"
  return "$ended"
}

# Writes the variables of that name.
write_choices() {
  local name
  for name in "${CHOICES[@]}"; do printf '%s=%s\n' "$name" "${!name}"; done | put choices
}
