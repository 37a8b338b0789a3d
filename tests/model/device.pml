// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device: U-Boot, main with its agent, two copies of recovery. Every durable
 * write is one step, and the power may go between any two. What is durable is
 * the environment, the records of the state log, main and the two copies.
 *
 * machine.pml is printed from lib/flow/machine.c, boot.pml is made from boot.table,
 * which the boot script is compared with, order.pml from order.table, which lib/flow
 * is compared with: order_NAME() is step NAME of it. What is decided between the
 * steps follows recovery.c, attempts.c, ending.c, rescue.c and self_update.c by name.
 * docs/TESTING.md, "Model", says what is left out and how a counterexample is read.
 */
#define IMPOSSIBLE(s, e) printf("event %d cannot happen in state %d\n", e, s); assert(false)
#include "machine.pml"

#define FLAG_LOST 0
#define FLAG_MAIN 1
#define FLAG_RECOVERY 2
#define FLAG_MANUAL 3
#define COPY_A 0
#define COPY_B 1
#include "boot.pml"

/* What main holds, and releases in records (NONE: no record). */
#define NONE 0
#define R1 1      /* the old release: always healthy when whole */
#define R2 2      /* the new one */
#define TORN 3    /* neither; its boot image may still be whole */
#define UNBOOTABLE 4 /* R1 whose boot image the medium has harmed */

/* What a copy of recovery holds. */
#define OLD 0
#define DEAD 1    /* starts and never reports alive; or crashes while it is on trial */
#define NEW 2
#define HALF 3    /* half written: U-Boot refuses it */

/* A new thing's quality. */
#define GOOD 0
#define FAILS 1   /* U-Boot takes it; it never becomes healthy, never reaches its bundle */
#define REFUSED 2 /* U-Boot does not take it, and lb_install_check_fit() knows beforehand */
#define SURPRISE 3 /* U-Boot does not take it, recovery had no key to know */

/* Requests. */
#define FOR_R2 R2
#define PERSON 5  /* recovery_only */

/* the world: chosen once */
byte q_main, q_recovery;      /* quality of R2's main and of the recovery it carries */
bool carries, needs;          /* R2's bundle carries a newer recovery; it cannot do without */

/* durable: environment */
byte flag = FLAG_MAIN, bootcount, rtries;
bit slot;
bool upgrade;
/* durable: state log; all but log_gone is that of an empty log after a loss */
bool log_gone;                /* the region holds nothing that can be read */
bool have_state;
byte state, state_rel;        /* state_rel: the manifest in the state record */
byte request, confirmed, previous, installed;
byte tries, tried_copy;       /* the note of a new recovery; tried_copy: 1 + copy */
bool have_result;
byte blamed;                  /* release in the result record */
/* durable: slots */
byte main_holds = R1;
byte holds[2];

/* the nondeterminism that ends */
bool calm;                    /* no more cuts, losses and harm; servers answer */

/* volatile and watched */
bool event;                   /* a result was recorded, a source is waited for, main serves */
bool serving;                 /* a healthy main at rest, its count cleared */
bool explained;               /* why recovery may start with nothing requested on record */
byte dead_boots;              /* of recovery in a row, without a cut or loss between */
bool by_hand, try_main, state_lost, may_give_up, writing, any;
bit copy, running;
byte reason, kind, offered, remedy, alternative, failed, i_next;

#define RUNS(c) (holds[c] == OLD || (holds[c] == NEW && q_recovery == GOOD))
#define TAKES_COPY(c) (holds[c] != HALF && !(holds[c] == NEW && q_recovery >= REFUSED))
#define IS_NEW(c) (holds[c] == NEW)
#define HEALTHY (main_holds == R1 || (main_holds == R2 && q_main == GOOD))
/* a bundle whose recovery U-Boot would not take is refused as a whole, and so reported */
#define CAN_FINISH (q_main == GOOD && (q_recovery == GOOD || (q_recovery != REFUSED && !needs)))
#define FINISHED (serving && main_holds == R2 && state == STATE_CONFIRMED && confirmed == R2)

/* Holds after every single write. */
inline watch()
{
	/* in every state a copy of recovery starts: more than "main or recovery" */
	assert(RUNS(COPY_A) || RUNS(COPY_B));
	assert(bootcount <= BOOT_LIMIT && rtries <= RECOVERY_LIMIT && tries <= SELF_UPDATE_TRIES);
}

/* What lies in RAM is gone. */
#define FORGET \
	event = false; serving = false; by_hand = false; state_lost = false; may_give_up = false; writing = false; \
	any = false; copy = 0; running = 0; reason = 0; kind = 0; offered = 0; remedy = 0; \
	alternative = 0; failed = 0
#define REBOOT d_step { FORGET }; goto power_on
#define LOSE_POWER d_step { !calm -> FORGET; dead_boots = 0; printf("-- power cut\n") }; goto power_on
#define CUT if :: LOSE_POWER :: skip fi
/* One durable write; the power may go before it, which is after the one before. */
#define WRITE(what) \
	if \
	:: d_step { what; watch() } \
	:: LOSE_POWER \
	fi
#define NOTE_STATE(ev, rel) \
	WRITE(machine_next(state, ev, i_next); state_rel = rel; state = i_next; \
	      i_next = 0; have_state = true; printf("state %d of release %d\n", state, state_rel))
#ifdef NEVER_CALM /* only cycles ask for these; a safety run takes every place, blamed or not */
#define EVENT skip
#define NOTE_RESULT(rel) skip
#else
#define EVENT event = true
#define NOTE_RESULT(rel) WRITE(have_result = true; blamed = rel; EVENT)
#endif
/* What lb_copies_mend() would not start; a surprise is found by the note only. */
#ifdef SELF_UPDATE
#define UNFIT(c) (holds[c] == HALF || (IS_NEW(c) && q_recovery == REFUSED))
#else
#define UNFIT(c) false
#endif

#include "order.pml"

/* lb_handover_return(), then a reboot */
inline give_main_back(told)
{
	explained = true;
	assert(state == STATE_TRIAL || CAN_HAPPEN(state, EV_RETURNED));
	order_give_back(told, offered, running, holds[running], 1 - running);
	REBOOT
}

/* lib/flow/rescue.c: choose_remedy() */
inline choose_remedy()
{
	d_step {
		if
		:: confirmed != NONE && (state == STATE_RESCUE -> confirmed == state_rel || state_rel == NONE
				: confirmed != state_rel || (state != STATE_TRIAL && state != STATE_UPDATING)) ->
			remedy = confirmed;
			alternative = ((previous != NONE && (state != STATE_TRIAL || previous != state_rel))
				       -> previous : NONE)
		:: else ->
			alternative = NONE;
			if
			:: previous != NONE && (state == STATE_RESCUE -> previous == state_rel || state_rel == NONE
					: previous != state_rel || (state != STATE_TRIAL && state != STATE_UPDATING)) ->
				remedy = previous
			:: else ->
				remedy = confirmed;
				alternative = ((confirmed != NONE && previous != NONE &&
						(state != STATE_TRIAL || previous != state_rel)) -> previous : NONE)
			fi
		fi
	}
}

/* lib/flow/rescue.c: lb_job_prepare_rescue() */
/* lib/flow/recovery.c: rescue(): the release that failed would be fetched over itself */
#define NOTHING_ELSE (state == STATE_TRIAL && reason == REASON_BOOT_LIMIT && confirmed != NONE && \
	confirmed == state_rel && previous == NONE && confirmed == main_holds)

inline prepare_rescue()
{
	choose_remedy();
	kind = JOB_RESCUE;
	any = true;
	may_give_up = false;
	failed = (state == STATE_RESCUE -> (have_result -> blamed : NONE)
		  : (state == STATE_CONFIRMED -> NONE : state_rel));
	if
	:: state != STATE_RESCUE ->
		order_begin_rescue(failed, remedy)
	:: else
	fi;
	if
	:: remedy == failed -> failed = NONE
	:: else
	fi
}

#define LOSE_ENV \
	dead_boots = 0; flag = FLAG_LOST; slot = 0; rtries = 0; bootcount = 0; upgrade = false; \
	printf("-- environment lost\n")
#define LOSE_LOG \
	log_gone = true; have_state = false; state = STATE_CONFIRMED; state_rel = NONE; request = NONE; \
	confirmed = NONE; previous = NONE; installed = NONE; tries = 0; tried_copy = 0; have_result = false; \
	blamed = NONE; printf("-- state log lost\n")

active proctype device()
{
	/* the world */
	if
#ifdef SELF_UPDATE
	:: carries = true
	:: d_step { carries = true; needs = true }
	:: d_step { carries = true; q_recovery = FAILS }
	:: d_step { carries = true; q_recovery = FAILS; needs = true }
	:: d_step { carries = true; q_recovery = REFUSED }
	:: d_step { carries = true; q_recovery = REFUSED; needs = true }
	:: d_step { carries = true; q_recovery = SURPRISE }
	:: d_step { carries = true; q_recovery = SURPRISE; needs = true }
	:: d_step { carries = true; holds[COPY_B] = DEAD }
	:: holds[COPY_A] = DEAD
#else
	:: skip
	:: q_main = FAILS
	:: q_main = REFUSED
	:: q_main = SURPRISE
#endif
	fi;
	if
	:: confirmed = R1
#ifndef ONLINE
	:: skip
#endif
	fi;

power_on:
	if
	:: skip
#ifndef NEVER_CALM
	:: !calm -> d_step { calm = true; dead_boots = 0 }
#endif
	:: !calm -> d_step { LOSE_ENV }
#ifndef ONLINE
	:: !calm && !log_gone -> d_step { LOSE_LOG }
	:: !calm && !log_gone -> d_step { LOSE_ENV; LOSE_LOG }
#endif
#ifndef SELF_UPDATE
	:: !calm && main_holds == R1 ->
		d_step { main_holds = UNBOOTABLE; printf("-- main's boot image harmed\n") }
#endif
	fi;

/* ---- U-Boot: bootscripts/boot.env.in ---- */
#ifndef SELF_UPDATE
	if
	:: !calm -> by_hand = true /* a key, a button */
	:: skip
	fi;
#endif
	d_step { boot_first(); by_hand = false };
	if
	:: try_main ->
		try_main = false;
#ifndef SELF_UPDATE
		WRITE(bootcount++);
#endif
		if
		:: main_holds == TORN || main_holds == R1 || (main_holds == R2 && q_main <= FAILS) ->
			goto main_starts
		:: main_holds == TORN || main_holds == UNBOOTABLE || (main_holds == R2 && q_main > FAILS)
		fi
	:: else
	fi;
#ifdef SELF_UPDATE
#ifdef BUG_COPIES_NOT_CHANGED
	WRITE(boot_copies(); copy = 0; slot = 0; rtries = 1);
#else
	WRITE(boot_copies());
#endif
	if
	:: TAKES_COPY(copy)
	:: !TAKES_COPY(copy) -> copy = 1 - copy
	fi;
	if
	:: !RUNS(copy) ->
		printf("recovery copy %d does not report alive\n", copy);
		d_step { dead_boots++; assert(dead_boots <= RECOVERY_LIMIT) };
		CUT;
		REBOOT
	:: else
	fi;
	d_step { running = copy; copy = 0 };
	CUT; /* before it reported alive */
#endif
	goto recovery_starts;

/* ---- main and its agent ---- */
main_starts:
	printf("main is started, it holds %d\n", main_holds);
	assert(main_holds == R1 || main_holds == R2);      /* only when whole */
	assert(log_gone || (state != STATE_UPDATING && state != STATE_RESCUE));
	assert(log_gone || state != STATE_TRIAL || upgrade); /* never on trial without being told */
	CUT;
	if
	:: !HEALTHY -> REBOOT /* it dies before the agent runs */
	:: skip
	fi;
	/* lb_handover_open_log() */
	if
	:: log_gone -> order_open_log()
	:: else
	fi;
	order_reconcile();
	if
	:: !HEALTHY && state == STATE_TRIAL ->
		NOTE_RESULT(main_holds); /* note_failure(), and the boot count decides */
		REBOOT
	:: !HEALTHY && state != STATE_TRIAL ->
		EVENT; /* it says so, goes on and asks for updates; or it dies */
		if :: REBOOT :: goto rest fi
	:: else
	fi;
	order_may_confirm(0, 0);
	serving = true;
rest:
	EVENT;
	if
	:: !calm -> REBOOT
#ifndef SELF_UPDATE
	:: !calm ->
		order_may_visit();
		REBOOT
	:: !calm -> flag = FLAG_MANUAL; REBOOT /* a person, with fw_setenv */
#endif
	:: main_holds == R1 && CAN_HAPPEN(state, EV_STAGED) -> goto stage
	:: calm && !(main_holds == R1 && CAN_FINISH) -> goto rest
	fi;
stage:
	event = false;
	serving = false;
	explained = false;
	/* the remedy first, if it is wanted */
	if
	:: confirmed != main_holds -> WRITE(confirmed = main_holds)
#ifndef ONLINE
	:: skip
#else
	:: confirmed == main_holds
#endif
	fi;
	order_stage(NONE, R2);
	REBOOT;

/* ---- recovery: lib/flow/recovery.c ---- */
recovery_starts:
	dead_boots = 0;
	if
	:: log_gone ->
		state_lost = true;
		order_open_log()
	:: else
	fi;
#ifndef BUG_EMPTY_LOG_BELIEVED
	if
	:: !have_state -> state_lost = true
	:: else
	fi;
#endif
	/* a flag without a record would be a start without a reason */
	assert(reason != REASON_REQUESTED || state != STATE_CONFIRMED || !have_state ||
	       explained || request == PERSON);
	d_step {
		i_next = ((request == PERSON && reason != REASON_BOOT_LIMIT && reason != REASON_MAIN_INVALID)
			  -> REASON_MANUAL : reason);
		machine_job(state, i_next, (request != NONE), kind);
		i_next = 0;
		printf("recovery %d: state %d, reason %d, request %d: job %d\n", running, state, reason,
		       request, kind);
		if
		:: kind != JOB_HEAL && kind != JOB_WAIT -> reason = 0; state_lost = false
		:: kind == JOB_WAIT ->
			/* lib/flow/recovery.c: wait_for_person() */
			reason = 0;
			state_lost = state_lost && flag != FLAG_MAIN &&
				     !(confirmed != NONE && confirmed == main_holds)
		:: else
		fi
	};
#ifdef SELF_UPDATE
	order_start(running);
#endif
	may_give_up = (kind == JOB_INSTALL);
	if
	:: kind == JOB_INSTALL || kind == JOB_RESUME ->
		any = (state_rel == NONE);
		goto install
	:: kind == JOB_RESCUE && !NOTHING_ELSE ->
		prepare_rescue();
		goto install
	:: kind == JOB_RESCUE && NOTHING_ELSE ->
		EVENT;
		if
		:: give_main_back(0) /* nothing happened for idle_s */
#ifndef ONLINE
		:: explained = true; any = true; may_give_up = true; goto install
#endif
		fi
	:: kind == JOB_HANDOVER ->
		order_tell_trial();
		REBOOT
	:: kind == JOB_HEAL && confirmed != NONE && confirmed == main_holds -> give_main_back(0)
	:: kind == JOB_HEAL && confirmed == NONE && reason == REASON_REQUESTED && !state_lost ->
		give_main_back(0)
	:: kind == JOB_HEAL && !(confirmed != NONE && confirmed == main_holds) &&
	   !(confirmed == NONE && reason == REASON_REQUESTED && !state_lost) ->
		prepare_rescue();
		goto install
	:: kind == JOB_EXAMINE && !(confirmed != NONE && confirmed == main_holds) ->
		prepare_rescue();
		goto install
	:: kind == JOB_EXAMINE && confirmed != NONE && confirmed == main_holds ->
		EVENT;
		if
		:: explained = true;
		   order_try_again(confirmed, confirmed, running, holds[running], 1 - running);
		   REBOOT /* nothing happened for idle_s */
#ifndef ONLINE
		:: explained = true; any = true; may_give_up = true; goto install
#endif
		fi
	:: kind == JOB_WAIT ->
waits:
		EVENT;
		if
		:: !state_lost -> give_main_back(0) /* nothing happened for idle_s */
		:: state_lost -> CUT; goto waits
#ifndef ONLINE
		:: explained = true; any = true; may_give_up = !state_lost; goto install /* a medium with a bundle */
#endif
		fi
	fi;

/* ---- one place after the other: lib/flow/attempts.c, install.c ---- */
install:
	skip;
	d_step { offered = NONE; writing = writing || !may_give_up; may_give_up = !writing };
	if /* a server */
	:: (kind == JOB_INSTALL || kind == JOB_RESUME) && request == FOR_R2 && (any || state_rel == R2) ->
		offered = R2
	:: kind == JOB_RESCUE && remedy != NONE && remedy != failed -> offered = remedy
	:: kind == JOB_RESCUE && alternative != NONE && alternative != failed -> offered = alternative
	/* add_last_resort() */
	:: kind == JOB_RESCUE && remedy == NONE && request == FOR_R2 && failed != R2 -> offered = R2
#ifndef ONLINE
	/* a medium: any release once main is broken, else the expected one */
	:: !calm && (any || !may_give_up) -> offered = R1
	:: !calm || (kind == JOB_WAIT) -> offered = R2
#endif
	/* nothing: servers are silent, or there are none */
	:: !calm
	:: else
	fi;
	if
	:: offered == NONE && !writing -> give_main_back(1)
	:: offered == NONE && writing ->
		EVENT; /* waits for a source */
		CUT;
		goto install
	:: else
	fi;
	/* lb_self_update_promise() and lb_policy_check() */
	if
	:: offered == R2 && needs && !IS_NEW(running) && tries >= SELF_UPDATE_TRIES -> goto refused
	:: else
	fi;
	/* lb_self_update() */
	if
	:: offered == R2 && carries && IS_NEW(running) ->
		order_refresh(running, holds[running])
	:: offered == R2 && carries && !IS_NEW(running) && tries < SELF_UPDATE_TRIES ->
		order_write_other(NEW);
#ifdef BUG_BOTH_COPIES
		WRITE(holds[running] = NEW);
#endif
		if
		:: q_recovery == REFUSED && (needs || !writing) -> goto refused
		:: q_recovery == REFUSED && !needs && writing
		:: q_recovery != REFUSED ->
			order_select(1 - running);
			REBOOT
		fi
	:: offered == R2 && carries && !IS_NEW(running) && tries >= SELF_UPDATE_TRIES ->
		order_mend(running, holds[running])
	:: else
	fi;
	/* plan, first write, write */
	if
	:: main_holds != offered ->
		printf("main is being written with release %d\n", offered);
		order_first_write(offered);
		writing = true;
#ifdef BUG_FLAG_BEFORE_READBACK
		goto finish;
#endif
		if
		:: order_read_back(offered)
		:: !calm /* the medium dropped a write: the read-back sees it */
		fi
	:: else
	fi;
	if
	:: main_holds != offered -> EVENT; CUT; goto install /* medium-worn */
	:: else
	fi;
	if
	:: offered == R2 && q_main == REFUSED ->
		if /* lb_job_can_rescue() */
		:: writing && (kind == JOB_INSTALL || kind == JOB_RESUME) &&
		   ((confirmed != NONE && confirmed != R2) || (previous != NONE && previous != R2)) ->
			prepare_rescue();
			goto install
		:: else -> goto refused
		fi
	:: else
	fi;
finish:
	skip;
	d_step {
		if
		:: kind != JOB_RESCUE || failed == NONE -> failed = offered
		:: else
		fi
	};
	order_hand_over(offered, failed, running, holds[running]);
	REBOOT;

refused: /* give_back(), or the next place after a while */
	if
	:: !writing -> give_main_back(1)
	:: else ->
		EVENT;
		CUT;
		goto install
	fi
}

/* From the moment that cuts have come to an end (calm never ends): */
/* every cycle records a result, waits for a source, or main serves */
ltl livelock { [] (calm -> <> event) }
/* whatever the new release is worth, a healthy main serves; the new one, if it can */
ltl ends { [] (calm -> <> (serving && (FINISHED || !CAN_FINISH))) }
