"""Rows of the table: Languages of Asia."""

from __future__ import annotations

from ivbench_data.evaluate.replies.languages.row import Language

ASIA = (
    Language(
        code="zh",
        is_spaced=False,
        nouns="答案|正确答案|选项|正确选项|正确的|选择|结论|最终答案|正解|最佳答案|答|回答|正确的选项"
        "|正确的答案|应选|應選|選項|選擇|正確答案|正確選項",
        option_words="选项|選項|选择|選擇|字母|应该|應該|应|應|就|很可能|可能|显然|顯然|最有可能",
        copulas="是|为|為|应为|應為|应该是|應該是|应当是|就是|即为|显然是|即|应该为|应是|最可能是",
        statements="可能是|大概是|也许是|估计是|选|選|我选|我選|选择|選擇|故选|故選|应选|應選|应选择|所以选|因此选|选了|应该选|正确的是|对的是"
        "|符合的是|这是|我认为是|我认为|我觉得是|我觉得|更正为|改为|改成|改选|纠正为|我会选|符合|对应"
        "|對應|其实是|实际上是|应该是|其实应该是|应为|其实选",
        conclusions="因此|所以|故|综上|综上所述|总之|由此可知|可知|可见|那么|最终|最后|大概|可能|应该|好的|当然"
        "|也就是|即",
        confirmations="正确|是正确|是对的|为正确|选项正确|选项是正确|对|是答案|符合|最符合|是最佳|正確|是正確"
        "|選項正確|选项符合|选项最|最合适|是最|选项是|才是|才对|项正确|项符合|選項是",
        denials="不对|不正确|错误|是错|不符合|不是|选项错误|选项不|项错误|错|不對|不正確|錯|被排除|可以排除"
        "|排除|未|没有|沒有|项不",
        negations="不是|不|非|没有|沒有|排除|错误|除了|并非|而非|别|未|無|无法|错|不选",
        contrasts="而是|但|但是|而|应该是|不过|却是|然而|可是",
        corrections="等等|不对|更正|纠正|修正|改为|改成|等一下|实际上|其实|更正为|重新考虑|哦不|不對|改选|慢着|更正后",
        retractions="我错了|我看错了|刚才错了|前面错了|我说错了|那是错的|我搞错了",
        conditions="如果|假如|若|要是|假设|除非|即使|例如|比如|乍一看|起初|一开始",
        views="有人|有些人|你可能|也许有人|虽然|尽管|看似|似乎|本来|原以为|以为|之前|一开始|别人|他们|可能会"
        "|容易误选|误选|说过|我曾|曾|最初|起先|开始以为|开始认为",
        joiners="或|或者|和|与|及|以及|还是|还有|跟|、|與",
        affirmations="是|是的|对|对的|没错|正确",
        refusals="无法|抱歉|对不起|不能确定|不知道|不确定|无法判断|都不|以上都|均不",
        endings="吧|项|选项|。",
        ordinals="第一|第二|第三|第四|第五|第六|第七|第八|第九|第十|最后一",
        ordered="个选项|項|项|個選項",
    ),
    Language(
        code="ja",
        is_spaced=False,
        nouns="答え|正解|回答|解答|選択肢|答|最終回答|正しい答え|結論|最終的な答え|正しい選択肢",
        option_words="選択肢|選択|記号|の|おそらく|多分",
        copulas="は|が|とは|は、|はおそらく",
        statements="正しいのは|該当するのは|適切なのは|答えとして|選ぶのは|選んだのは|私は|当てはまるのは"
        "|最も近いのは|一致するのは",
        conclusions="したがって|よって|ゆえに|従って|つまり|だから|以上より|以上から|結論として|そのため|たぶん"
        "|おそらく|結局|なので",
        confirmations="が正解|が正しい|が答え|が適切|を選|だと思|が最も|が当てはま|に当てはま|に該当|が該当|が一致"
        "|に一致|と一致|が最適|になります|となります|を選択|は正しい|は正解|が合",
        denials="ではない|ではなく|じゃない|は違|は誤|は間違|は不正解|ではありません|は正しくな|は不適"
        "|は当てはまら|は除外",
        negations="ない|ではなく|でもなく|もなく|除外|違い|誤り|間違い|ません|不正解",
        contrasts="ではなく|でなく|でもなく|もなく|しかし|むしろ|いや|ですが",
        corrections="いや|待って|訂正|やはり|やっぱり|いえ|ちょっと待って|修正|実は|正しくは|間違えました",
        retractions="間違えました|間違いでした|見間違え",
        conditions="もし|仮に|例えば|たとえば|一見|最初は",
        views="と思うかも|かもしれない|最初|思った|思いがち|人もいる|でしょうが|ように見え",
        joiners="または|か|と|や|もしくは|あるいは|、",
        affirmations="はい|そうです|正解です",
        refusals="わかりません|分かりません|判断できません|申し訳|できません|不明",
        endings="です|だ|だと思います|でしょう|である|になります|だと思う|ですね",
        ordinals="1/一|2/二|3/三|4/四|5/五|6/六|7/七|8/八|9/九|10/十|最後",
        ordered="番|番目|番目の選択肢|つ目の選択肢|の選択肢",
    ),
    Language(
        code="ko",
        is_spaced=False,
        nouns="정답|답|답변|선택지|보기|최종 답변|최종 답|최종 정답|올바른 답|결론|정답은|답은|답변은"
        "|선택지는|정답이|대답",
        option_words="선택지|보기|옵션|바로|아마|아마도|선택지인",
        copulas="은|는|이|가",
        statements="정답은|답은|답변은|선택지는|올바른 것은|맞는 것은|옳은 것은|정답이|답이|저는|나는"
        "|올바른 선택지는|올바른 답은|것은|최종 답은|정답으로|가장 적절한 것은|해당하는 것은",
        conclusions="따라서|그러므로|그래서|즉|결론적으로|결국|그렇다면|아마|아마도|네|고로|그러니까",
        confirmations="이 정답|가 정답|이 맞|가 맞|이 옳|가 옳|이 답|가 답|를 선택|을 선택|가 올바|이 올바|가 가장"
        "|이 가장|번이 정답|로 하겠|으로 하겠|를 고르|을 고르|가 적절|이 적절|가 일치|이 일치|와 일치"
        "|과 일치|에 해당",
        denials="가 아니|이 아니|는 아니|은 아니|는 틀|은 틀|가 틀|이 틀|는 오답|은 오답|는 잘못|은 잘못",
        negations="아니|아니라|아닌|않|제외|틀린|오답",
        contrasts="아니라|아니고|하지만|그러나|대신",
        corrections="잠깐|아니|정정|수정|잠깐만|다시|실제로는|사실은|잠시만|아니요",
        retractions="제가 틀렸|잘못 봤|실수였|실수했",
        conditions="만약|만일|예를 들어|처음에는|언뜻",
        views="생각했|처음|수도 있|것 같았|보이지만|사람들은|일부는",
        joiners="또는|혹은|이나|나|와|과|그리고|아니면",
        affirmations="네|예|맞습니다|그렇습니다",
        refusals="죄송|알 수 없|모르겠|판단할 수 없|없습니다",
        endings="입니다|이다|예요|이에요|번입니다|번|요|네요|번이다",
        ordinals="1/첫|2/두|3/세|4/네|5/다섯|6/여섯|7/일곱|8/여덟|9/아홉|10/열|마지막",
        ordered="번|번 선택지|번 보기|번째|번째 선택지| 번째 선택지| 번째 보기",
    ),
    Language(
        code="ar",
        nouns="الإجابة|الاجابة|الجواب|الخيار|الإجابة الصحيحة|الجواب الصحيح|الخيار الصحيح|الاختيار|إجابة"
        "|الإجابة النهائية|النتيجة|جواب|الحل|الاختيار الصحيح|الصحيحة|الصحيح|خيار"
        "|إجابتي|جوابي|اختياري",
        option_words="الخيار|الحرف|خيار|حرف|الإجابة|بالتأكيد|غالبا|على الأرجح",
        copulas="هي|هو|ستكون|سيكون|تكون|يكون|يجب أن تكون",
        statements="أختار|اختار|سأختار|أعتقد أنها|أعتقد|إنها|إنه|أظن|الصحيح هو|الصحيحة هي|يتوافق مع|يطابق",
        conclusions="لذلك|إذن|إذا|وبالتالي|بالتالي|لذا|ولذلك|ربما|نعم|في النهاية|ومن ثم|وعليه",
        confirmations="صحيح|صحيحة|هو الصحيح|هي الصحيحة|هو الجواب|هي الإجابة|هو الخيار الصحيح|هو الأنسب|هو الإجابة"
        "|هو الأفضل",
        denials="خطأ|غير صحيح|غير صحيحة|ليس|ليست|خاطئ|خاطئة|مستبعد",
        negations="ليس|ليست|لا|لم|لن|غير|خطأ|ما عدا|نستبعد|استبعاد|بدلا من|وليس|وليست",
        contrasts="بل|لكن|ولكن|وإنما|إنما",
        corrections="انتظر|تصحيح|عفوا|في الواقع|لا|مهلا|بل|عذرا|الصحيح|في الحقيقة",
        retractions="أخطأت|كنت مخطئا|كان ذلك خطأ",
        conditions="لو|إن|اذا كان|إذا كان|إذا كانت|مثلا|على سبيل المثال|في البداية|للوهلة الأولى",
        views="بعض|البعض|قد يظن|قد يختار|ظننت|رغم|يبدو|يقول|كثيرون|اعتقدت|مع أن|آخرون",
        joiners="أو|او|و|أم",
        affirmations="نعم|صحيح|بالضبط",
        questions="هل|ما|أي|أليس",
        refusals="آسف|لا أستطيع|لا يمكن|لا أعرف|عذرا|لا شيء مما|جميع ما سبق",
        followers="لأن|لأنه|لأنها|بسبب|في",
    ),
    Language(
        code="hi",
        nouns="उत्तर|जवाब|विकल्प|सही उत्तर|सही विकल्प|सही जवाब|निष्कर्ष|अंतिम उत्तर|परिणाम",
        option_words="विकल्प|अक्षर|शायद|संभवतः|स्पष्ट रूप से|निश्चित रूप से|उत्तर",
        copulas="है|होगा|हैं|था|होना चाहिए|यह है",
        statements="मैं चुनता हूँ|मैं चुनूंगा|मैं|यह|बल्कि|मेरा उत्तर|मेरा जवाब|सही है|मेरे विचार से",
        conclusions="इसलिए|अतः|तो|इस प्रकार|अंततः|शायद|हाँ|लिहाजा|निष्कर्षतः",
        confirmations="सही है|सही उत्तर|सही विकल्प|सही जवाब|उत्तर है|ही सही|सबसे उपयुक्त|ठीक है|सही होगा|विकल्प सही"
        "|सबसे सही|को चुन",
        denials="गलत है|सही नहीं|नहीं है|ग़लत है|गलत|नहीं|नही",
        negations="नहीं|गलत|ना|न|ग़लत|छोड़कर|बजाय|अलावा",
        contrasts="बल्कि|लेकिन|परंतु|पर|किंतु|मगर",
        corrections="रुकिए|रुको|सुधार|नहीं|वास्तव में|असल में|दरअसल|माफ़ कीजिए|एक मिनट|क्षमा करें",
        retractions="मैं गलत था|वह गलत था|मुझसे गलती हुई",
        conditions="अगर|यदि|मान लीजिए|उदाहरण के लिए|पहली नज़र में|शुरू में",
        views="कुछ लोग|कोई|आप शायद|लगा था|सोचा था|हालांकि|हालाँकि|लोग|कहता है|लगता था|पहले लगा",
        joiners="या|और|अथवा|एवं|तथा",
        affirmations="हाँ|हां|सही|बिल्कुल",
        questions="क्या|कौन सा",
        refusals="क्षमा करें|नहीं बता सकता|पता नहीं|संभव नहीं|माफ़",
        endings="है|है।",
        followers="क्योंकि|चूंकि",
    ),
    Language(
        code="vi",
        nouns="đáp án|câu trả lời|trả lời|lựa chọn|phương án|kết luận|kết quả|đáp án đúng|đáp án cuối cùng"
        "|câu trả lời đúng|phương án đúng",
        option_words="đáp án|phương án|lựa chọn|chữ|đúng|có lẽ|rõ ràng|chính|câu|ý|phải|chắc chắn",
        copulas="là|sẽ là|phải là|chính là|nên là|có thể là|đúng là",
        statements="tôi chọn|chọn|mình chọn|đó là|tôi nghĩ là|tôi nghĩ|tôi đoán là|em chọn|tôi cho rằng"
        "|tương ứng với|phù hợp với|ta chọn",
        conclusions="vì vậy|do đó|vậy|nên|cho nên|suy ra|tóm lại|có lẽ|vâng|kết luận|như vậy|vì thế|cuối cùng",
        confirmations="là đúng|là đáp án|đúng|là chính xác|là câu trả lời|là phương án|phù hợp|chính xác|là lựa chọn"
        "|mô tả đúng",
        denials="là sai|sai|không đúng|không phải|không phù hợp|bị loại|không chính xác",
        negations="không|chẳng|sai|loại|trừ|chưa|thay vì|loại trừ|loại bỏ",
        contrasts="mà là|mà|nhưng|tuy nhiên|song",
        corrections="khoan|đính chính|thực ra|xin lỗi|không|chờ đã|sửa lại|đợi đã|thật ra|à không",
        retractions="tôi đã sai|tôi nhầm|đó là sai|tôi đã nhầm",
        conditions="nếu|giả sử|ví dụ|chẳng hạn|thoạt đầu|ban đầu|trừ khi|thoạt nhìn",
        views="một số|ai đó|nhiều người|bạn có thể|tôi tưởng|mặc dù|dường như|người ta|nói|có người|tuy|lúc đầu",
        joiners="hoặc|và|hay|hoặc là",
        affirmations="đúng|vâng|phải|chính xác",
        questions="có phải|đâu|nào|liệu",
        refusals="xin lỗi|không thể|không biết|không rõ|không có đáp án|tất cả",
        followers="vì|bởi|do|vì|trong",
    ),
    Language(
        code="tr",
        nouns="cevap|yanıt|seçenek|doğru cevap|doğru yanıt|doğru seçenek|sonuç|cevabı|cevabım|nihai cevap|şık"
        "|doğru şık|yanıtı|yanıtım|tercihim|seçimim",
        option_words="seçeneği|seçenek|şıkkı|şık|muhtemelen|kesinlikle|harfi|açıkça|olarak|yani",
        copulas="şudur|budur|olmalı|ise",
        statements="seçiyorum|bence|cevabım|doğru olan|tercihim|doğrusu|cevap olarak",
        conclusions="bu nedenle|bu yüzden|dolayısıyla|o halde|yani|sonuç olarak|öyleyse|muhtemelen|belki|evet"
        "|kısacası|böylece",
        confirmations="doğrudur|doğru|doğru cevaptır|seçeneği doğru|seçeneğidir|şıkkıdır|şıkkı doğru|olmalı|olmalıdır"
        "|doğru cevap|seçeneğini seç|şıkkını seç|seçeneği en|en uygun|en doğru|uygundur|seçeneği ile"
        "|seçeneğiyle",
        denials="yanlış|yanlıştır|değil|değildir|doğru değil|seçeneği yanlış|şıkkı yanlış|elenir",
        negations="değil|yanlış|hariç|olmaz|yok|yerine|eliyorum",
        contrasts="değil|ama|fakat|ancak|aksine",
        corrections="bekle|düzeltme|hayır|aslında|pardon|dur|daha doğrusu|düzeltiyorum|bir dakika|bekleyin",
        retractions="yanılmışım|yanlıştı|hata yaptım|yanlış okudum",
        conditions="eğer|diyelim|örneğin|ilk bakışta|başta|varsayalım|mesela",
        views="bazıları|birisi|çoğu|seçebilirsiniz|sanmıştım|rağmen|insanlar|düşünmüştüm|söylüyor|diyor|başkaları",
        joiners="veya|ve|ya da|yahut|ile",
        affirmations="evet|doğru|kesinlikle",
        questions="hangi|acaba",
        refusals="üzgünüm|bilmiyorum|mümkün değil|belirlenemez|hiçbiri|hepsi",
        suffixes="dir|dır|dur|dür|tir|tır|tur|tür|yi|yı|ye|ya|nin|nın|si|sı|i|ı|e|a|de|da",
        followers="çünkü|zira",
    ),
    Language(
        code="id",
        nouns="jawaban|pilihan|opsi|jawabannya|jawaban yang benar|jawaban yang tepat|pilihan yang benar"
        "|kesimpulan|jawaban akhir|jawaban saya|pilihannya|hasil|jawab",
        option_words="pilihan|opsi|huruf|jawaban|mungkin|jelas|tentu|kemungkinan besar|pasti|poin",
        copulas="adalah|ialah|yaitu|seharusnya|harusnya|yakni|pasti",
        statements="saya memilih|saya pilih|pilih|memilih|yang benar adalah|saya rasa|menurut saya|saya kira"
        "|itu adalah|sesuai dengan|yang tepat adalah|saya akan memilih",
        conclusions="jadi|oleh karena itu|maka|dengan demikian|karena itu|kesimpulannya|mungkin|ya|sehingga|akhirnya",
        confirmations="adalah jawaban|benar|adalah benar|yang benar|adalah pilihan|paling tepat|tepat|adalah yang"
        "|sesuai|adalah opsi|cocok",
        denials="salah|tidak benar|bukan|tidak tepat|keliru|tidak sesuai",
        negations="bukan|tidak|tak|salah|kecuali|jangan|daripada|tanpa|bukannya",
        contrasts="melainkan|tetapi|tapi|namun",
        corrections="tunggu|koreksi|maaf|sebenarnya|ralat|eh|tidak|bukan|perbaikan|sebentar",
        retractions="saya salah|itu salah|saya keliru|saya salah baca",
        conditions="jika|kalau|seandainya|misalnya|contohnya|awalnya|sekilas|andaikan|apabila",
        views="beberapa|seseorang|banyak orang|anda mungkin|saya kira tadi|meskipun|walaupun|tampaknya|orang"
        "|mengatakan|sebagian|tadinya|saya pikir",
        joiners="atau|dan|maupun|ataupun",
        affirmations="ya|benar|betul|tepat",
        questions="apakah|apa|mana|manakah",
        refusals="maaf|tidak bisa|tidak tahu|tidak dapat|tidak ada|semua jawaban",
        followers="karena|sebab|dengan|di|dalam",
    ),
    Language(
        code="th",
        is_spaced=False,
        nouns="คำตอบ|ตัวเลือก|คำตอบที่ถูกต้อง|ตอบ|ข้อ|ข้อที่ถูก|ข้อที่ถูกต้อง|สรุป|คำตอบสุดท้าย|เฉลย|ตัวเลือกที่ถูกต้อง",
        option_words="ตัวเลือก|ข้อ|น่าจะ|คงจะ|อาจ|แน่นอน|ตัวอักษร",
        copulas="คือ|เป็น|น่าจะเป็น|ควรเป็น|ต้องเป็น|ได้แก่|คือข้อ|คือตัวเลือก|ก็คือ|จึงเป็น|จึงคือ",
        statements="เลือก|ฉันเลือก|ผมเลือก|ขอเลือก|ขอตอบ|ตอบ|ฉันคิดว่า|ผมคิดว่า|ตรงกับ|ที่ถูกต้องคือ|จึงตอบ|จึงเลือก|ดิฉันเลือก",
        conclusions="ดังนั้น|เพราะฉะนั้น|จึง|ฉะนั้น|สรุปแล้ว|สรุปคือ|อาจจะ|ใช่|น่าจะ|ท้ายที่สุด",
        confirmations="ถูกต้อง|เป็นคำตอบ|คือคำตอบ|ถูก|เหมาะสม|ตรงที่สุด|เป็นข้อที่ถูก|เป็นตัวเลือกที่ถูก|ตรงกับ",
        denials="ผิด|ไม่ถูก|ไม่ใช่|ไม่ตรง|ถูกตัดออก|ไม่",
        negations="ไม่ใช่|ไม่|ผิด|ยกเว้น|ตัดออก|แทนที่จะ",
        contrasts="แต่เป็น|แต่|แต่คือ|อย่างไรก็ตาม",
        corrections="เดี๋ยว|แก้ไข|ไม่สิ|จริงๆ แล้ว|ขอโทษ|รอสักครู่|ที่จริง|แก้เป็น|เดี๋ยวก่อน|ขอแก้เป็น|เปลี่ยนเป็น",
        retractions="ฉันผิด|ผมผิด|ตอบผิด|อ่านผิด|เข้าใจผิด",
        conditions="ถ้า|หาก|สมมติ|ตัวอย่างเช่น|ตอนแรก|เช่น|มองแวบแรก",
        views="บางคน|คุณอาจ|คิดว่าจะ|แม้ว่า|ดูเหมือน|คนอื่น|หลายคน|พูดว่า|แม้|ตอนแรกคิด",
        joiners="หรือ|และ|กับ|หรือว่า",
        affirmations="ใช่|ถูกต้อง|ถูก",
        questions="ใช่ไหม|อะไร",
        refusals="ขออภัย|ไม่สามารถ|ไม่ทราบ|ไม่รู้|ไม่มีข้อใด|ถูกทุกข้อ",
        endings="ครับ|ค่ะ",
    ),
)
