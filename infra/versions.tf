terraform {
  # Write-only arguments, by which no secret key comes into the state, came with 1.11.
  required_version = ">= 1.11"

  required_providers {
    google = {
      source = "hashicorp/google"
      # One version and no range: every build gets what the tests know (test/support/terraform), and
      # so needs no lock file; Terraform itself checks HashiCorp's signature of what it downloads.
      version = "= 7.45.0"
    }
  }

  # The bucket is given by `terraform init -backend-config=bucket=… -backend-config=prefix=…`.
  backend "gcs" {}
}

provider "google" {
  project = var.project
  region  = var.region

  default_labels = {
    system      = "distrise"
    environment = var.environment
  }
}

data "google_project" "this" {
  project_id = var.project
}
