# SPDX-License-Identifier: GPL-2.0-or-later
"""Good installs and refusals once more, with AddressSanitizer, UBSan and leak detection.

A sanitizer's complaint ends the program with a status of its own, which the tests
imported here do not accept.
"""
# pylint: disable=unused-import,wildcard-import,unused-wildcard-import

import pytest

from test_flow import (on_release_1, on_trial, serving,  # fixtures and tests
                       test_environment_lost_in_both_copies_is_made_anew,
                       test_release_that_never_confirms_is_replaced_by_the_confirmed_one,
                       test_state_region_that_is_lost_is_made_anew_and_said)
from test_install import (test_asks_a_server_only_for_what_is_missing,
                          test_bundle_on_a_medium_is_found_without_a_request,
                          test_installs_a_bundle_of_an_independent_writer,
                          test_installs_from_a_file, test_installs_from_a_server,
                          test_installs_from_a_server_without_ranges,
                          test_second_install_of_the_same_bundle_writes_nothing)
from test_led import led, test_waits_and_succeeds, test_works
from test_media import (stick, visit, test_links_are_not_followed, test_names_are_shown_as_plain_text,
                        test_hundreds_of_bundles_are_bounded, test_newest_that_can_be_installed_wins,
                        test_next_one_is_taken_when_the_newest_turns_out_to_be_damaged)
from test_network import (scripted, test_404_gives_main_back,
                          test_bit_that_is_wrong_late_in_the_payload_waits_for_the_right_file,
                          test_connections_that_are_cut_again_and_again)
from test_refusals import *
from test_report import (test_links_are_replaced_and_not_followed, test_tells_what_was_installed,
                         test_while_main_is_half_written_the_medium_is_needed)
from test_resume import test_sigterm_stops_with_status_4_and_the_next_start_resumes


@pytest.fixture
def recovery_program(programs):
    return programs["asan"]
