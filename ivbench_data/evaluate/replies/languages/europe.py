"""Rows of the table: Languages of Europe."""

from __future__ import annotations

from ivbench_data.evaluate.replies.languages.row import Language

EUROPE = (
    Language(
        code="es",
        nouns="respuesta|opción|opcion|alternativa|resultado|conclusión|elección|respuesta final"
        "|respuesta correcta|opción correcta|letra",
        option_words="la|el|opción|opcion|letra|respuesta|probablemente|claramente|alternativa|definitivamente"
        "|seguramente|inciso",
        copulas="es|sería|seria|era|debe ser|debería ser|tiene que ser|parece ser|será",
        statements="elijo|elegiría|escojo|selecciono|me quedo con|creo que es|es|sería|opto por|creo que|yo diría"
        "|diría|corresponde a|coincide con|escogería|la correcta es|el correcto es",
        conclusions="por lo tanto|por tanto|así que|entonces|luego|por ende|en conclusión|en consecuencia"
        "|probablemente|quizás|sí|claro|por eso|finalmente",
        confirmations="es correcta|es la correcta|es correcto|es la respuesta|es la opción|es la mejor"
        "|sería la correcta|es la adecuada|coincide|describe|es la más|es la única",
        denials="es incorrecta|no es|es falsa|está descartada|es incorrecto|queda descartada|se descarta",
        negations="no|ni|nunca|incorrecta|incorrecto|excepto|descarto|descartamos|ninguna|ninguno|tampoco|sin"
        "|descartar|en lugar de|en vez de",
        contrasts="sino|sino la|sino que es|pero|sin embargo|sino que",
        corrections="espera|corrección|perdón|mejor dicho|en realidad|no espera|un momento|digo|rectifico|espere"
        "|de hecho|corrijo",
        retractions="me equivoqué|estaba equivocado|eso estaba mal|fue un error|leí mal",
        conditions="si|suponiendo|en caso de|a menos que|por ejemplo|al principio|a primera vista|inicialmente",
        views="algunos|alguien|muchos|podrías|podría|pensé|pensaba|aunque|parecía|la gente|dice|antes dije"
        "|otros|creía|mientras que",
        joiners="o|y|o bien|u|e",
        affirmations="sí|correcto|exacto",
        questions="es|cuál|qué|será",
        refusals="lo siento|no puedo|no sé|no es posible|imposible|ninguna de las|todas las anteriores",
        ordinals="primera|segunda|tercera|cuarta|quinta|sexta|séptima|octava|novena|décima|última",
        ordered="opción|alternativa",
        followers="porque|ya|pues|debido|en|que",
    ),
    Language(
        code="fr",
        nouns="réponse|reponse|option|choix|conclusion|bonne réponse|lettre|proposition|réponse finale|résultat",
        option_words="la|le|l'option|option|réponse|la réponse|probablement|clairement|lettre|donc|proposition"
        "|sans doute|l'",
        copulas="est|serait|était|doit être|devrait être|semble être|est donc|sera|est bien",
        statements="je choisis|je choisirais|je sélectionne|c'est|ce serait|j'opte pour|je dirais"
        "|je pense que c'est|il s'agit de|je crois que c'est|je pense|correspond à|ce doit être"
        "|je retiens",
        conclusions="donc|ainsi|par conséquent|alors|en conclusion|par suite|finalement|probablement|peut-être|oui"
        "|en somme|d'où",
        confirmations="est correcte|est la bonne|est correct|est la réponse|est juste|est exacte|est la meilleure"
        "|convient|correspond|est bonne|est le bon|serait la bonne|est vraie|décrit|est la plus"
        "|qui est correcte|qui est la bonne|qui est juste|qui convient|qui est exacte",
        denials="est incorrecte|n'est pas|est fausse|est faux|est exclue|est incorrect|est éliminée",
        negations="pas|non|jamais|ni|incorrecte|sauf|aucune|fausse|n'est|exclut|éliminer|plutôt que|au lieu de"
        "|sans|écarter|élimine",
        contrasts="mais|plutôt|cependant|mais la|mais bien|toutefois",
        corrections="attendez|attends|correction|en fait|pardon|non|plutôt|je me corrige|je rectifie|erratum"
        "|en réalité",
        retractions="je me suis trompé|je me suis trompée|c'était faux|c'était une erreur|j'ai mal lu",
        conditions="si|s'il|supposons|à moins que|par exemple|au début|à première vue|au premier abord|d'abord",
        views="certains|quelqu'un|beaucoup|on pourrait|vous pourriez|je pensais|j'ai pensé|bien que|semblait"
        "|les gens|dit|d'autres|tandis que|j'avais|quoique",
        joiners="ou|et|ou bien",
        affirmations="oui|exact|correct|exactement",
        questions="est|est-ce|quelle|quel",
        refusals="désolé|je ne peux pas|impossible|je ne sais pas|aucune des|toutes les",
        ordinals="première|deuxième/seconde|troisième|quatrième|cinquième|sixième|septième|huitième|neuvième|dixième"
        "|dernière",
        ordered="option|réponse|proposition",
        followers="car|parce|puisque|dans|sur",
    ),
    Language(
        code="de",
        nouns="antwort|lösung|option|auswahl|ergebnis|antwortmöglichkeit|antwortoption|endgültige antwort"
        "|fazit|wahl|buchstabe|richtig",
        option_words="die|der|option|antwort|möglichkeit|wahrscheinlich|eindeutig|also|antwortmöglichkeit|buchstabe"
        "|somit|daher|vermutlich",
        copulas="ist|lautet|wäre|war|muss sein|kann nur|ist also|ist somit|ist daher|sollte|muss|scheint|ist demnach",
        statements="ich wähle|ich nehme|ich würde|es ist|das ist|ich tippe auf|ich entscheide mich für|ich glaube"
        "|ich denke|richtig ist|korrekt ist|es muss|entspricht|passt zu|ich würde sagen|zutreffend ist"
        "|es kann nur|kann nur",
        conclusions="also|daher|somit|folglich|deshalb|demnach|deswegen|wahrscheinlich|vermutlich|vielleicht|ja"
        "|schließlich|insgesamt|damit",
        confirmations="ist richtig|ist korrekt|ist die richtige|ist die antwort|ist die korrekte|stimmt|trifft zu"
        "|passt|wäre richtig|ist die beste|ist zutreffend|beschreibt|ist am|ist die einzige|richtig"
        "|korrekt|die richtige antwort|die richtige|die korrekte|die richtig ist"
        "|die korrekt ist|wählen|nehmen|auswählen",
        denials="ist falsch|ist nicht|ist inkorrekt|stimmt nicht|trifft nicht|scheidet aus|passt nicht"
        "|ist ausgeschlossen|entfällt",
        negations="nicht|kein|keine|nie|weder|noch|falsch|außer|ausschließen|statt|anstatt|ohne|niemals",
        contrasts="sondern|aber|jedoch|sondern die|doch",
        corrections="warte|moment|korrektur|nein|eigentlich|doch|halt|besser gesagt|ich korrigiere|vielmehr"
        "|tatsächlich|entschuldigung",
        retractions="ich habe mich geirrt|das war falsch|ich lag falsch|das war ein fehler|ich habe mich verlesen",
        conditions="wenn|falls|sofern|angenommen|zum beispiel|zunächst|auf den ersten blick|anfangs",
        views="könnte|manche|jemand|viele|man könnte|sie könnten|ich dachte|obwohl|schien|die leute|sagt|einige"
        "|andere|während|zuerst dachte",
        joiners="oder|und|bzw|oder auch",
        affirmations="ja|richtig|genau|korrekt",
        questions="ist|welche|wäre|war",
        refusals="tut mir leid|kann ich nicht|ich kann nicht|weiß nicht|unmöglich|keine der|alle der",
        ordinals="erste|zweite|dritte|vierte|fünfte|sechste|siebte|achte|neunte|zehnte|letzte",
        ordered="option|antwort|antwortmöglichkeit|möglichkeit",
        followers="weil|denn|da|sein|wegen|im|in",
    ),
    Language(
        code="pt",
        nouns="resposta|opção|opcao|alternativa|resultado|conclusão|escolha|letra|resposta final|gabarito",
        option_words="a|o|opção|letra|alternativa|resposta|provavelmente|claramente|definitivamente|portanto",
        copulas="é|seria|era|deve ser|deveria ser|tem que ser|parece ser|será|é a",
        statements="escolho|eu escolho|escolheria|seleciono|fico com|acho que é|é|seria|opto por|eu diria"
        "|acredito que é|corresponde a|eu acho|a correta é|escolheria a|é a",
        conclusions="portanto|logo|assim|então|por isso|em conclusão|provavelmente|talvez|sim|finalmente"
        "|dessa forma|por conseguinte",
        confirmations="é correta|é a correta|está correta|é a resposta|é a certa|está certa|é a melhor|é o correto"
        "|é a opção|corresponde|descreve|é a única|é a mais",
        denials="é incorreta|não é|está errada|é falsa|está incorreta|é errada|está descartada",
        negations="não|nem|nunca|incorreta|exceto|errada|nenhuma|descartar|descarto|em vez de|sem|tampouco",
        contrasts="mas|mas sim|e sim|porém|contudo|mas sim a",
        corrections="espere|espera|correção|na verdade|desculpe|ou melhor|não|aliás|corrigindo|na realidade",
        retractions="eu errei|estava errado|me enganei|foi um erro|li errado",
        conditions="se|caso|suponha|supondo|a menos que|por exemplo|a princípio|à primeira vista|inicialmente",
        views="alguns|alguém|muitos|poderia|você pode|pensei|embora|parecia|as pessoas|diz|outros|achei que"
        "|enquanto|apesar",
        joiners="ou|e|ou então",
        affirmations="sim|correto|exato|isso",
        questions="é|qual|será|seria",
        refusals="desculpe|não posso|não sei|impossível|nenhuma das|todas as",
        ordinals="primeira|segunda|terceira|quarta|quinta|sexta|sétima|oitava|nona|décima|última",
        ordered="opção|alternativa",
        followers="porque|pois|já|devido|em|no|na",
    ),
    Language(
        code="it",
        nouns="risposta|opzione|scelta|alternativa|conclusione|risultato|lettera|risposta finale|soluzione",
        option_words="la|il|l'opzione|opzione|lettera|risposta|probabilmente|chiaramente|la lettera|quindi|sicuramente",
        copulas="è|sarebbe|era|deve essere|dovrebbe essere|sembra essere|sarà|e'",
        statements="scelgo|io scelgo|sceglierei|seleziono|opto per|direi|credo sia|penso sia|è|sarebbe"
        "|corrisponde a|si tratta di|quella corretta è|quella giusta è|bensì",
        conclusions="quindi|pertanto|dunque|perciò|allora|in conclusione|probabilmente|forse|sì|di conseguenza|infine",
        confirmations="è corretta|è la risposta|è quella corretta|è giusta|è quella giusta|è corretto|è la scelta"
        "|è l'opzione|è la migliore|corrisponde|descrive|è l'unica|è esatta",
        denials="è errata|non è|è sbagliata|è falsa|è incorretta|è scartata|è esclusa",
        negations="non|né|mai|errata|tranne|sbagliata|nessuna|escludere|escludo|invece di|anziché|senza",
        contrasts="ma|bensì|ma la|però|tuttavia",
        corrections="aspetta|correzione|in realtà|anzi|scusa|no|un momento|mi correggo|aspetti|a dire il vero",
        retractions="mi sono sbagliato|era sbagliato|ho sbagliato|è stato un errore|ho letto male",
        conditions="se|supponendo|a meno che|per esempio|ad esempio|all'inizio|a prima vista|inizialmente",
        views="alcuni|qualcuno|molti|potresti|si potrebbe|pensavo|sebbene|anche se|sembrava|la gente|dice"
        "|altri|credevo|benché|mentre",
        joiners="o|e|oppure|ed",
        affirmations="sì|esatto|corretto|giusto",
        questions="è|quale|sarà|sarebbe",
        refusals="mi dispiace|non posso|non so|impossibile|nessuna delle|tutte le",
        ordinals="prima|seconda|terza|quarta|quinta|sesta|settima|ottava|nona|decima|ultima",
        ordered="opzione|alternativa",
        followers="perché|poiché|dato|in|nel|nella",
    ),
    Language(
        code="nl",
        nouns="antwoord|optie|keuze|conclusie|juiste antwoord|definitieve antwoord|resultaat|oplossing|letter"
        "|eindantwoord",
        option_words="het|de|optie|letter|antwoord|waarschijnlijk|duidelijk|dus|keuze|zeker|daarom",
        copulas="is|luidt|was|zou zijn|moet zijn|moet|is dus|is daarom|lijkt|zal zijn",
        statements="ik kies|ik kies voor|ik zou kiezen|het is|dat is|ik denk|ik ga voor|ik selecteer"
        "|komt overeen met|juist is|ik denk dat het|dit is|ik zou zeggen|kies",
        conclusions="dus|daarom|derhalve|bijgevolg|waarschijnlijk|misschien|ja|kortom|tenslotte|uiteindelijk|zodoende",
        confirmations="is juist|is correct|is het juiste|is het antwoord|is goed|klopt|is de juiste|is de beste|past"
        "|is het beste|komt overeen|beschrijft|is de enige|juist|correct|het juiste antwoord|het juiste"
        "|de juiste",
        denials="is onjuist|is niet|is fout|klopt niet|is verkeerd|valt af|is incorrect",
        negations="niet|geen|nooit|noch|onjuist|behalve|fout|uitsluiten|in plaats van|zonder|verkeerd",
        contrasts="maar|maar wel|echter|maar de",
        corrections="wacht|correctie|eigenlijk|nee|sorry|of beter|herstel|verbetering|bij nader inzien|momentje|toch",
        retractions="ik had het mis|dat was fout|ik vergiste me|dat was een fout|verkeerd gelezen",
        conditions="als|indien|stel|tenzij|bijvoorbeeld|in eerste instantie|op het eerste gezicht|aanvankelijk|mits",
        views="sommigen|iemand|velen|je zou kunnen|u kunt|ik dacht|hoewel|leek|mensen|zegt|anderen|terwijl"
        "|eerst dacht|ofschoon",
        joiners="of|en|dan wel",
        affirmations="ja|juist|klopt|precies",
        questions="is|welke|zou|was",
        refusals="sorry|kan niet|weet het niet|onmogelijk|geen van|alle bovenstaande",
        followers="omdat|want|aangezien|in",
    ),
    Language(
        code="pl",
        nouns="odpowiedź|odpowiedz|opcja|wybór|wariant|wniosek|poprawna odpowiedź|prawidłowa odpowiedź|wynik"
        "|ostateczna odpowiedź|litera",
        option_words="opcja|litera|odpowiedź|prawdopodobnie|zdecydowanie|wyraźnie|wariant|zatem|punkt|opcję|opcją"
        "|odpowiedzią",
        copulas="jest|brzmi|powinna być|musi być|byłaby|będzie|jest więc",
        statements="wybieram|wybrałbym|wybrałabym|to jest|odpowiedzią jest|myślę że to|myślę|sądzę że to"
        "|stawiam na|odpowiada|poprawna jest|prawidłowa jest|powiedziałbym|odpowiedź to|opcja to"
        "|odpowiedz to|poprawna to",
        conclusions="zatem|więc|dlatego|stąd|a więc|w związku z tym|podsumowując|prawdopodobnie|może|tak"
        "|ostatecznie|czyli",
        confirmations="jest poprawna|jest prawidłowa|jest poprawną|jest prawidłową|jest właściwa|jest odpowiedzią"
        "|to poprawna|to prawidłowa|pasuje|jest najlepsza|jest słuszna|jest dobra|najlepiej"
        "|jest właściwą",
        denials="jest błędna|nie jest|jest niepoprawna|jest nieprawidłowa|odpada|jest zła|nie pasuje",
        negations="nie|ani|nigdy|błędna|oprócz|niepoprawna|wykluczam|zamiast|bez|odrzucam",
        contrasts="lecz|ale|tylko|jednak|natomiast",
        corrections="czekaj|poprawka|właściwie|przepraszam|nie|chwila|korekta|raczej|w rzeczywistości|zaraz"
        "|sprostowanie",
        retractions="pomyliłem się|pomyliłam się|to był błąd|myliłem się|źle przeczytałem",
        conditions="jeśli|jeżeli|gdyby|załóżmy|na przykład|początkowo|na pierwszy rzut oka|o ile",
        views="niektórzy|ktoś|wielu|można by|mógłbyś|myślałem|chociaż|choć|wydawało|ludzie|mówi|inni|sądziłem"
        "|podczas gdy|najpierw",
        joiners="lub|i|albo|oraz|czy",
        affirmations="tak|zgadza się|dokładnie|owszem",
        questions="czy|która|jaka",
        refusals="przepraszam|nie mogę|nie wiem|niemożliwe|żadna z|wszystkie",
        followers="ponieważ|bo|gdyż|w|na",
    ),
    Language(
        code="ru",
        nouns="ответ|вариант|выбор|правильный ответ|верный ответ|вывод|решение|итог|правильный вариант|буква"
        "|ответ под буквой|окончательный ответ",
        option_words="вариант|ответ|буква|под буквой|вероятно|скорее всего|это|именно|пункт|очевидно|вариантом",
        copulas="это|является|будет|есть|—|должен быть|был бы",
        statements="я выбираю|выбираю|я выберу|выбрал бы|это|я думаю|думаю|я считаю|правильно|верно|верный"
        "|правильный|соответствует|подходит|я бы выбрал|я бы сказал|ответом является|остаётся|остается"
        "|выбираем|верным является|правильным является",
        conclusions="поэтому|значит|следовательно|итак|таким образом|стало быть|вероятно|возможно|да|в итоге|отсюда"
        "|скорее всего|наверное",
        confirmations="правильный|верный|правильно|верно|является правильным|является верным|подходит|соответствует"
        "|правилен|верен|это правильный|наиболее|является ответом|лучше всего",
        denials="неверный|неправильный|неверно|неправильно|не подходит|не является|не соответствует|исключ"
        "|ошибочен|неверен|отпадает",
        negations="не|ни|нет|неверный|неправильный|кроме|исключить|исключаем|вместо|без|никогда|неверно",
        contrasts="а|но|однако|зато",
        corrections="подождите|стоп|исправление|нет|точнее|вернее|на самом деле|поправка|погодите|постойте|исправляю",
        retractions="я ошибся|я ошиблась|это было неверно|это была ошибка|я был неправ",
        conditions="если|допустим|предположим|например|сначала|на первый взгляд|сперва",
        views="некоторые|кто-то|многие|можно подумать|вы можете|я думал|я думала|хотя|казалось|люди|говорит"
        "|другие|другой|сначала",
        joiners="или|и|либо",
        affirmations="да|верно|правильно|точно",
        questions="это|какой|разве|является",
        refusals="извините|не могу|не знаю|невозможно|к сожалению|ни один|все перечисленные|простите",
        followers="потому|так|поскольку|ведь|в|на",
    ),
    Language(
        code="uk",
        nouns="відповідь|варіант|правильна відповідь|вибір|висновок",
        option_words="варіант|відповідь|літера|ймовірно|це",
        copulas="це|є|буде",
        statements="я обираю|обираю|це|я вважаю|а",
        conclusions="отже|тому|таким чином|ймовірно|мабуть",
        confirmations="правильна|правильний|вірна|вірний|правильно",
        denials="неправильна|неправильний|невірна|не підходить",
        negations="не|ні|крім|неправильна",
        contrasts="а|але|проте",
        corrections="зачекайте|виправлення|ні|точніше|насправді",
        conditions="якщо|наприклад|спочатку",
        views="деякі|хтось|хоча|здавалося|я думав",
        joiners="або|та|чи|і",
        affirmations="так|правильно",
        refusals="вибачте|не можу|не знаю",
        followers="бо|оскільки|адже|в|на",
    ),
)
