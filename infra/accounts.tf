# One account a service, each with what it does and no more. `push` and `scheduler` only call.
# infra/bootstrap.sh makes the accounts and the custom roles, and lets the deployer act as each of
# these accounts: one who may make or change accounts and roles could give itself any right.

locals {
  accounts = toset(regexall("(?m)^\\w+", file("${path.module}/deploy/accounts.txt")))

  # Roles on the whole project, where a narrower place does not exist.
  project_roles = {
    relay = [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      "roles/monitoring.metricWriter",
    ]
    store = [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      "roles/monitoring.metricWriter",
    ]
    fetch = [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      "roles/monitoring.metricWriter",
    ]
    upkeep = [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      "roles/monitoring.metricWriter",
    ]
    probe = [
      "roles/monitoring.metricWriter",
    ]
    release = [
      "roles/monitoring.viewer",
    ]
  }

  # Roles on one topic.
  topic_roles = {
    relay_incoming = { account = "relay", topic = google_pubsub_topic.incoming.name, role = "roles/pubsub.publisher" }
    # Ephemeral events go there past the database.
    relay_stored = { account = "relay", topic = google_pubsub_topic.stored.name, role = "roles/pubsub.publisher" }
    # To attach an instance's subscription.
    relay_follow    = { account = "relay", topic = google_pubsub_topic.stored.name, role = "roles/pubsub.subscriber" }
    store_stored    = { account = "store", topic = google_pubsub_topic.stored.name, role = "roles/pubsub.publisher" }
    store_dead      = { account = "store", topic = google_pubsub_topic.incoming_dead.name, role = "roles/pubsub.publisher" }
    fetch_incoming  = { account = "fetch", topic = google_pubsub_topic.incoming.name, role = "roles/pubsub.publisher" }
    fetch_work      = { account = "fetch", topic = google_pubsub_topic.fetch.name, role = "roles/pubsub.publisher" }
    upkeep_incoming = { account = "upkeep", topic = google_pubsub_topic.incoming.name, role = "roles/pubsub.publisher" }
    # To list the subscriptions of instances.
    upkeep_stored = { account = "upkeep", topic = google_pubsub_topic.stored.name, role = "roles/pubsub.viewer" }
  }
}

data "google_service_account" "service" {
  for_each = local.accounts

  account_id = "distrise-${each.key}"
}

# Earlier versions made accounts and custom roles here: they stay, and are bootstrap's now.
removed {
  from = google_service_account.service

  lifecycle {
    destroy = false
  }
}

removed {
  from = google_project_iam_custom_role.fast_lane

  lifecycle {
    destroy = false
  }
}

removed {
  from = google_project_iam_custom_role.sweep

  lifecycle {
    destroy = false
  }
}

locals {
  # Cloud SQL names an account without the end that all have.
  database_users = {
    for name, account in data.google_service_account.service :
    name => trimsuffix(account.email, ".gserviceaccount.com")
  }
}

resource "google_project_iam_member" "service" {
  for_each = merge([
    for account, roles in local.project_roles : {
      for role in roles : "${account} ${role}" => { account = account, role = role }
    }
  ]...)

  project = var.project
  role    = each.value.role
  member  = data.google_service_account.service[each.value.account].member
}

resource "google_pubsub_topic_iam_member" "service" {
  for_each = local.topic_roles

  topic  = each.value.topic
  role   = each.value.role
  member = data.google_service_account.service[each.value.account].member
}

resource "google_pubsub_subscription_iam_member" "replay" {
  subscription = google_pubsub_subscription.incoming_dead_replay.name
  role         = "roles/pubsub.subscriber"
  member       = data.google_service_account.service["upkeep"].member
}

# A relay instance makes a subscription of its own to `stored`, reads it and deletes it. Attaching is
# a right on that topic alone (relay_follow). The others cannot be narrower than the project: making
# one is asked of the project, and a subscription that does not exist yet has no policy of its own.
# Nor can a condition name `relay-…`: Pub/Sub knows no resource.name in conditions (it is not in
# cloud.google.com/iam/docs/conditions-resource-attributes) and would refuse every call. So a relay
# that somebody took over could delete `incoming-store`; `incoming` keeps a week, from which a
# subscription made anew is wound back. roles/pubsub.editor would give all topics with it.
resource "google_project_iam_member" "fast_lane" {
  project = var.project
  role    = "projects/${var.project}/roles/distriseFastLane"
  member  = data.google_service_account.service["relay"].member
}

# Upkeep deletes the subscriptions of instances that died, whose names nobody knows before.
resource "google_project_iam_member" "sweep" {
  project = var.project
  role    = "projects/${var.project}/roles/distriseSweep"
  member  = data.google_service_account.service["upkeep"].member
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = toset(concat(["store", "fetch"], var.billing_account == "" ? [] : ["upkeep"]))

  name     = google_cloud_run_v2_service.function[each.value].name
  location = var.region
  role     = "roles/run.invoker"
  member   = data.google_service_account.service["push"].member
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  for_each = toset(["fetch", "upkeep", "probe"])

  name     = google_cloud_run_v2_service.function[each.value].name
  location = var.region
  role     = "roles/run.invoker"
  member   = data.google_service_account.service["scheduler"].member
}
