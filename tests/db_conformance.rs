//! Every query on every database: SQLite, Postgres, and Postgres behind a pooler that gives each
//! transaction another connection. One suite; each test has a database of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "db/sandbox.rs"]
mod sandbox;

#[path = "db/admin.rs"]
mod admin;
#[path = "db/cdn.rs"]
mod cdn;
#[path = "db/changes.rs"]
mod changes;
#[path = "db/deletions.rs"]
mod deletions;
#[path = "db/delivery.rs"]
mod delivery;
#[path = "db/events.rs"]
mod events;
#[path = "db/facts.rs"]
mod facts;
#[path = "db/idempotency.rs"]
mod idempotency;
#[path = "db/images.rs"]
mod images;
#[path = "db/jobs.rs"]
mod jobs;
#[path = "db/objects.rs"]
mod objects;
#[path = "db/operator.rs"]
mod operator;
#[path = "db/outbox.rs"]
mod outbox;
#[path = "db/presets.rs"]
mod presets;
#[path = "db/purge.rs"]
mod purge;
#[path = "db/queue.rs"]
mod queue;
#[path = "db/schema.rs"]
mod schema;
#[path = "db/signing_keys.rs"]
mod signing_keys;
#[path = "db/tokens.rs"]
mod tokens;
#[path = "db/users.rs"]
mod users;
#[path = "db/variants.rs"]
mod variants;
#[path = "db/webhook_limits.rs"]
mod webhook_limits;
#[path = "db/webhooks.rs"]
mod webhooks;

/// Lists the tests once, and makes one of each for each database.
macro_rules! suite {
    ($($module:ident: $($test:ident)*;)*) => {
        suite!(@on sqlite, $($module: $($test)*;)*);
        suite!(@on postgres, $($module: $($test)*;)*);
        suite!(@on pooled, $($module: $($test)*;)*);
    };
    (@on $backend:ident, $($module:ident: $($test:ident)*;)*) => {
        mod $backend {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let sandbox = crate::sandbox::Sandbox::$backend().await;
                    crate::$module::$test(&sandbox).await;
                })*
            })*
        }
    };
}

suite! {
    schema:
        many_machines_may_migrate_at_once
        a_schema_that_is_behind_is_noticed
        a_schema_that_is_ahead_is_left_alone
        a_query_that_is_cut_off_leaves_nothing_behind
        a_database_that_is_closed_is_unavailable
        many_tasks_share_few_connections;
    users:
        a_registered_account_can_log_in
        names_are_unique_without_regard_to_case
        a_new_password_ends_every_login
        usage_counts_what_is_stored
        a_deleted_account_takes_everything_with_it
        an_account_that_is_not_there_is_not_found;
    facts:
        a_picture_is_taken_by_one_and_comes_back
        what_was_found_out_is_kept
        a_row_that_says_nothing_of_it_is_to_be_described;
    tokens:
        rotation_spends_the_token
        the_same_client_gets_the_same_successor_within_the_grace
        a_token_shown_late_revokes_the_login
        a_token_shown_by_another_client_revokes_the_login
        an_expired_token_is_expired
        a_disabled_account_rotates_nothing
        two_rotations_at_once_agree
        a_revocation_beats_rotations_at_once
        logout_ends_one_login
        sessions_end_with_their_token
        api_keys_come_and_go
        a_purge_keeps_what_still_holds;
    images:
        an_image_is_kept_as_it_is
        another_accounts_image_is_not_found
        pages_by_offset_and_by_cursor
        pages_by_label
        a_patch_changes_what_it_names
        eager_jobs_come_with_the_image
        an_image_without_an_account_is_refused;
    variants:
        a_reserved_variant_is_pending
        sixteen_reservations_make_one_row
        a_variant_of_an_image_that_is_not_ones_own_is_refused
        a_failed_variant_is_pending_again
        an_older_engines_variant_is_remade_under_its_id
        the_first_to_complete_wins
        lists_hold_the_variants_of_their_images
        a_deleted_variant_hands_over_its_object;
    jobs:
        an_accepted_job_is_queued
        sixteen_equal_requests_make_one_job
        a_ready_variant_comes_with_a_job_that_succeeded
        a_new_job_follows_a_failed_one
        lists_filter_and_page
        a_queued_job_is_cancelled_at_once
        a_running_job_is_asked_to_stop
        a_finished_job_cannot_be_cancelled
        a_retried_job_starts_afresh
        a_retry_never_makes_a_second_job
        another_accounts_job_is_not_found;
    outbox:
        accounts_take_turns
        a_turn_goes_on_where_the_last_ended
        the_broker_gets_eight_times_what_workers_hold
        what_was_not_sent_is_handed_over_again
        a_job_is_queued_as_long_as_it_is_in_the_outbox
        a_broker_holds_what_is_due_later
        what_a_dead_process_had_is_handed_over_at_once
        what_waits_is_counted_and_who_works;
    events:
        every_change_of_state_is_written_down
        events_are_their_accounts_own
        old_events_are_forgotten;
    admin:
        an_operator_sees_every_account_and_what_it_holds
        an_account_is_shut_and_opened_by_its_name_or_id
        of_several_accounts_all_are_there_or_nothing_is_done
        a_reset_password_ends_every_login
        a_revocation_spares_api_keys_unless_they_are_meant
        a_database_says_what_it_is;
    objects:
        equal_bytes_are_one_object
        what_is_there_need_not_be_stored
        of_many_at_once_one_is_kept
        variants_share_them_too
        an_account_takes_its_objects_with_it
        what_a_crash_left_is_swept_after_its_time
        who_comes_after_the_sweep_is_told
        two_who_waited_for_one_making_use_it_both
        who_waited_for_what_is_not_kept_uses_what_is_there
        what_was_stored_in_vain_is_removed;
    operator:
        an_operator_sees_all_and_retries_any
        a_purge_forgets_what_ended_and_nothing_else;
    queue:
        due_jobs_are_leased_oldest_first
        no_two_workers_get_one_job
        a_lease_that_ran_out_is_given_to_another
        three_workers_lost_alone_are_a_failure
        a_survivor_is_forgiven
        a_cancelled_job_of_a_lost_worker_is_cancelled
        renewal_keeps_a_lease_and_tells_of_a_cancellation
        a_finished_job_and_its_variant_agree
        a_retry_waits_its_time_and_gives_up_at_last
        a_failure_does_not_undo_a_ready_variant
        a_stopped_run_is_cancelled
        a_lost_lease_finishes_nothing
        a_draining_worker_gives_back_what_it_holds
        a_retry_is_due_to_the_microsecond;
    webhooks:
        a_jobs_end_is_told_to_all_who_asked
        a_failure_is_told_and_so_is_what_follows_a_retry
        a_retry_by_itself_and_a_cancellation_are_told_to_nobody
        a_job_that_is_done_is_told_at_once_each_time
        a_job_that_workers_are_lost_over_is_told_to_have_failed
        whoever_asks_while_a_job_ends_is_told
        no_two_processes_send_one_delivery
        a_delivery_of_a_dead_process_is_another_processes
        every_attempt_is_told
        who_asks_for_a_job_that_is_to_stop_is_told_of_its_end
        a_disabled_account_is_known
        deliveries_are_their_accounts_own_and_go_with_their_picture
        what_ended_long_ago_is_forgotten;
    webhook_limits:
        slow_receivers_of_one_account_leave_room_for_others
        slow_receivers_of_many_accounts_leave_room_for_others
        so_many_urls_are_told_of_a_job_and_no_more
        an_account_has_so_much_pending_and_no_more
        a_secret_is_made_once_and_signs_on_for_a_day
        every_secret_of_a_day_signs_and_so_they_are_few;
    deletions:
        an_image_is_deleted_with_its_objects
        an_unknown_receipt_is_not_found
        a_deletion_is_finished_with_its_last_object
        a_deletion_of_nothing_is_finished
        halves_struck_off_at_once_finish_it
        an_upload_at_once_is_either_deleted_or_refused
        a_long_list_of_objects_is_kept;
    presets:
        a_preset_is_put_replaced_and_taken_back
        so_many_presets_and_no_more
        so_many_bytes_of_presets_and_no_more;
    delivery:
        settings_are_the_defaults_until_they_are_put
        serving_is_told_all_of_an_account
        serving_finds_a_picture_by_its_id_alone
        of_many_pictures_those_are_told_that_are_there;
    signing_keys:
        the_newest_key_signs_and_older_ones_are_known
        whoever_signs_first_gets_a_key_and_all_the_same
        so_many_signing_keys_and_no_more;
    changes:
        all_that_alters_what_is_served_is_told
        what_was_not_done_is_not_told
        changes_are_told_in_order_and_forgotten;
    purge:
        a_purge_gives_up_all_that_was_made
        a_purged_variant_is_a_new_jobs_work
        a_purged_failure_is_tried_again_by_its_job
        bytes_that_others_share_stay
        who_comes_after_a_purge_with_what_was_made_before_is_told
        a_job_that_comes_after_a_purge_runs_again
        what_a_purge_came_before_is_not_kept
        a_purge_and_what_is_kept_at_once_do_not_miss_each_other
        a_label_is_purged_some_pictures_at_a_time;
    cdn:
        what_may_not_be_shown_any_more_is_to_be_forgotten
        what_was_told_is_settled_and_what_was_not_comes_again
        what_was_told_is_told_once_more_six_seconds_later
        what_nobody_wants_to_hear_is_given_up;
    idempotency:
        a_key_goes_from_reserved_to_done
        one_of_sixteen_gets_the_key
        a_stale_reservation_is_taken_over_once
        a_released_key_is_free
        keys_are_per_account_and_path
        a_purge_forgets_expired_keys;
}
