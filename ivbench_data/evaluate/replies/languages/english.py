"""Rows of the table: English."""

from __future__ import annotations

from ivbench_data.evaluate.replies.languages.row import Language

_CALLED = "|".join(
    f"{verb} {right}"
    for verb in (
        "is", "was", "would be", "should be", "must be", "has to be", "seems to be", "appears to be", "seems",
        "appears",
        "is indeed", "is clearly", "is definitely", "is therefore", "is thus", "is probably", "is likely",
    )
    for right in (
        "correct", "right", "accurate", "the answer", "the correct", "the right", "the best", "the accurate",
        "the most",
        "the option", "the choice", "the one", "my answer", "my choice", "my final",
    )
)  # fmt: skip
"""What is said of the letter of an answer: "would be the accurate" answer."""

ENGLISH = (
    Language(
        code="en",
        nouns="answer|ans|option|choice|letter|final|prediction|response|output|selection|conclusion|guess"
        "|pick|bet|match|solution|result|verdict|decision|answer choice|answer option|answer letter"
        "|answer here|the one that|the one which|final answer|multiple choice answer|correct|best|most accurate",
        option_words="the|option|choice|letter|answer|most likely|likely|probably|clearly|definitely|certainly"
        "|undoubtedly|unquestionably|surely|obviously|evidently|indeed|therefore|thus|still"
        "|actually|simply|just|also|then|now"
        "|in fact|of course|alternative|number",
        copulas="is|was|would be|should be|must be|has to be|will be|seems to be|appears to be|would have to be"
        "|becomes|remains|would thus be|would therefore be|must therefore be|should therefore be"
        "|would most likely be",
        statements="i choose|i chose|i select|i selected|i pick|i picked|i would choose|i would select"
        "|i would pick|i'd choose|i'd select|i'd pick|i'll choose|i'll select|i'll pick|i'll go with"
        "|i will choose|i will select|i will pick|i will go with|i would go with|i'd go with|i go with"
        "|i'm going with|i am going with|i would say|i'd say|i opt for|i would opt for|i'd opt for"
        "|i'll opt for|i vote for|i settle on|i'm choosing|i am choosing|we choose|we select|we pick"
        "|we can choose|we should choose|we go with|let's go with|let's choose|let me go with"
        "|going with|my vote is|my vote goes to|i must choose|i have to choose|i should choose"
        "|i'd answer|i would answer|i answer|it's|it is|its|that's|that is|this is|it must be"
        "|it has to be|it should be|it would be|this must be|that must be|it can only be|can only be"
        "|that would be|this would be|which is|this leaves|that leaves|which leaves|leaving"
        "|leaves us with|this matches|that matches|which matches|it matches|matches|this corresponds to"
        "|that corresponds to|which corresponds to|corresponds to|points to|this points to"
        "|which points to|best matches|best match is|best fits|choose|select|selected|selecting"
        "|choosing|go with|opt for|pick|i think it's|i think it is|i think|i believe|i guess|i suppose"
        "|i'm confident in|this supports|which supports|this confirms|this indicates|supports"
        "|aligns with|this aligns with|which aligns with|matching|is described by|is described in"
        "|is best described by|is captured by|is best captured by|is best represented by"
        "|i'd go for|i would go for|i'll go for|i go for"
        "|let me answer with|i answer with|i'll answer with|consistent with|in favor of|in favour of|fits|that fits is"
        "|that matches is|correct one is|right one is|best one is|is it|i vote|it appears to be"
        "|it seems to be|seems to be|appears to be|looks like|it looks like|seems like|it's likely"
        "|it is likely|it's probably|it is probably|i have chosen|i've chosen|i have selected"
        "|i have picked|i say|the answer's|answer's|i'm going for|i am going for|i choose option"
        "|i'll say|the correct answer's|right answer's|i'd guess|i would guess|i'd lean"
        "|i'd lean towards|leaning towards|that'd be|it'd be"
        "|i'll take|i take|i would take|i'd take|i'm taking|i'm selecting|i am selecting|i'll answer|i will answer"
        "|i'll opt for|i will opt for|i'd have to guess|i have to guess|i'd have to say|i'd have to go with"
        "|i'd mark|i would mark|i prefer|i'd prefer|i would prefer"
        "|i'd bet on|i would bet on|i bet on|i'm betting on|my bet is on|my money is on"
        "|leaning toward|i'm leaning towards|i lean towards|i'd put my money on|only leaves|that only leaves",
        conclusions="so|therefore|thus|hence|consequently|accordingly|then|sure|ok|okay|certainly|probably|likely"
        "|most likely|maybe|perhaps|possibly|definitely|clearly|yes|well|finally|final|overall"
        "|in conclusion|in short|in summary|ultimately|as a result|for this reason|that said|of course"
        "|got it|answering|answered|i mean|which means|this means|that means|it follows that|i conclude"
        "|we conclude|conclude|if i had to guess|if i had to choose|if i had to pick|which gives"
        "|this gives|giving|obviously|surely|must be",
        confirmations=f"{_CALLED}"
        "|is correct|is the correct|is the right|is the best|is right|is the answer|is my answer"
        "|is my final|is my choice|would be correct|would be the correct|would be the best"
        "|would be the right|would be right|would be the answer|should be correct|must be correct"
        "|must be the|should be the|has to be correct|seems correct|seems right|seems to be correct"
        "|seems to be the correct|seems to be the best|seems to be the right|seems to be the answer"
        "|appears to be correct|appears to be the correct|appears to be the best|appears correct"
        "|looks correct|looks right|is therefore correct|is thus correct|is clearly correct"
        "|is clearly the|is therefore the|is most likely|is likely the|is probably the"
        "|is definitely the|is indeed correct|is indeed the|is the most|is most|is accurate|is the only"
        "|is the one|is the final|is true|it is|is it|is what|was correct|is likely correct"
        "|is probably correct|is the closest|is supported|is confirmed|is selected|is chosen"
        "|was the correct|is definitely correct|correct answer|is the choice|is the option"
        "|best describes|best matches|best fits|matches|fits|describes|accurately|aligns|corresponds"
        "|wins|is consistent|correctly|best|seems the|seems most|looks like the|seems more likely"
        "|is more likely|is more plausible|is better supported|captures this"
        "|remains|is left|is what is left|can be considered correct|can be considered the correct"
        "|is slightly better|is better|is the better|is closer|is stronger|is preferable|fits better",
        denials="is wrong|is incorrect|is not|isn't|are wrong|are incorrect|are not|aren't|was wrong|is false"
        "|is ruled out|is out|can be ruled out|can be eliminated|is eliminated|cannot be|can't be"
        "|was not|wasn't|does not|doesn't|do not|don't|did not|didn't|were not|weren't|is never"
        "|are never|or not|is impossible|is unlikely|can be excluded|can be discarded|can be dismissed"
        "|can be rejected|is excluded|are excluded|are ruled out|are eliminated|are false|are out|fails|fail",
        negations="not|never|no|cannot|neither|nor|incorrect|wrong|isn't|wasn't|aren't|don't|doesn't|didn't|can't"
        "|couldn't|won't|wouldn't|shouldn't|weren't|hasn't|haven't|nothing|none|false|eliminate"
        "|eliminates|eliminated|rule out|rules out|ruled out|ruling out|exclude|excludes|excluded"
        "|excluding|reject|rejects|discard|dismiss|unlike|rather than|instead of|as opposed to|except"
        "|contradicts|unlikely|far from|lack of|absence of|isnt|without|different from|before choosing"
        "|avoid|rejected|discarded|distractor",
        contrasts="but|but rather|rather|instead|however|yet|only|now",
        corrections="wait|wait no|no wait|no|actually|correction|hold on|scratch that|i mean"
        "|i meant|i actually meant|sorry|oops|my mistake"
        "|rather|hmm|on second thought|on reflection|changed to|changing to|change to|corrected|revised"
        "|updated|instead|make that|edit|i changed my mind|on second thoughts|after all|revised answer"
        "|corrected answer|change my answer to|changing my answer to|change that to|should say"
        "|apologies|switching to|switch to|i'll switch to|let me change to|let me correct that"
        "|i correct myself|i take that back|strike that|never mind|nevermind",
        retractions="i was wrong|that was wrong|scratch that|i misread|i made a mistake|i made an error"
        "|that was a mistake|strike that|i take that back|ignore that|never mind|that's not right"
        "|that is not right|i was mistaken|i misspoke|that was incorrect|disregard that"
        "|that can't be right|actually that's wrong|actually that is wrong|that cannot be right",
        conditions="if|unless|suppose|supposing|assuming|whether|had the|were the|at first|at first glance"
        "|initially|at first sight|for example|for instance|e.g|e.g.|hypothetically|imagine|say that",
        views="some may|some might|some would|some could|some people|some say|some think|some viewers|someone"
        "|somebody|many people|many would|many may|many might|most people|others may|others might"
        "|others say|others would|one might|one may|one could|people might|people may|people would"
        "|people say|people think|people could|people choose|you might|you may|you could|you would"
        "|you choose|you chose|you pick|you picked|you select|you say|tempted|tempting|they say"
        "|they may|they might|they think|says|said|claims|claimed|thinks|believes|argues|shouts"
        "|announces|thought|was going to|were going to|although|though|even though|while|whereas"
        "|despite|might seem|may seem|might look|may look|might appear|might be tempted|originally"
        "|my first|first guess|first instinct|first thought|first impression|my initial|initial guess"
        "|initial answer|previous answer|used to|common mistake|common answer|guessed|not sure whether"
        "|could be argued|could argue|would argue|would have been|could have been|almost chose"
        "|nearly chose|i considered|wanted to|was leaning|were leaning|initially leaning|inclined",
        joiners="or|and|and/or|or maybe|or possibly|or perhaps|and also|or else|as well as|or even|and maybe"
        "|versus|vs|nor",
        affirmations="yes|yeah|yep|correct|indeed|exactly|right|definitely|certainly",
        questions="is|are|was|could|can|would|should|does|do|did|which|what|why|how|who|where|when|might|may"
        "|isn't|will|has|have",
        refusals="sorry|unable to|cannot determine|can't determine|cannot answer|can't answer|i cannot|i can't"
        "|i am unable|i'm unable|not able to|no information|cannot be determined|can't help|cannot help"
        "|don't know|do not know|not enough information|insufficient|impossible to|not possible to"
        "|i'm not sure|i am not sure|no way to|cannot tell|can't tell|cannot see|can't see|hard to tell"
        "|difficult to|none of the|all of the above|undetermined|unclear|hard to say|hard to"
        "|difficult to say",
        asides="if i had to choose|if i had to guess|if i had to pick|if i have to choose|if i have to guess"
        "|if i must choose|if forced to choose|if we look|if you look|if we consider"
        "|if i'm not mistaken|if i am not mistaken|no doubt|without a doubt|without doubt|i'm not sure"
        "|i am not sure|not sure|not only|not certain|not entirely sure|not visible|not shown"
        "|none other than|nothing other than|no other than|if i recall correctly|while watching"
        "|says that|as said|unless i misread|unless i'm mistaken|unless i am mistaken|unless i missed something"
        "|if pressed|if pushed|i suppose|not entirely certain|not fully sure|not completely sure|i was wrong with"
        "|safely say that|can say that|would say that|i was wrong about|i was wrong before|i was wrong earlier",
        changes="change my answer from|changing my answer from|changed my answer from|changing from|changed from"
        "|switch from|switching from|switched from|replace my earlier answer|replacing my earlier answer"
        "|replace my answer|let me revise|revised from|revising from|updating from|correcting",
        replacers="to|with|into|by",
        ordinals="first/1st|second/2nd|third/3rd|fourth/4th|fifth/5th|sixth/6th|seventh/7th"
        "|eighth/8th|ninth/9th|tenth/10th|last",
        ordered="option|choice|answer option|answer choice|one is correct|one is right",
        restrictions="only if|unless|only when|if and only if",
        exceptions="everything except|everything but|every option except|every option but|each option except|all except"
        "|all but|all options except|all options but|all the options except|all the options but|all of them except"
        "|all of them but|all of the options except|all of the options but|all choices except|all choices but"
        "|every one except|every option other than|all options other than",
        followers="in|on|at|by|from|for|of|to|with|when|if|because|since|as|and|or|but|not|nor|so|rather|instead"
        "|according|given|based|due|considering|while|which|where|that|the|this|after|before|among"
        "|amongst|here|indeed|is|isn't|seems|appears|however|through|under|over|via|per|during|within"
        "|without|between|than|it|he|she|there|only|matches|fits|unless|although|though|until|once"
        "|whereas|despite|out|again|too|overall|please|correct|therefore|thus|corresponds|aligns"
        "|describes|should|must|would|was|will|being|both|these|those|his|her|its|their|our|my|your"
        "|thanks|definitely|probably|obviously|clearly|certainly|likely|best|over",
    ),
)
